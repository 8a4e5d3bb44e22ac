/* The files port: a database's folder and what lies in it.
 *
 * Paths are relative to the folder of the database, with `/` between names, such as "log/0001.log"; "" is the folder
 * itself. Symbolic links below it are never followed, whoever put them there. Folders are made 0700, files 0600, and
 * nothing survives exec.
 *
 * Durability: what a file holds is durable after sync or sync_data (on a direct file: when write returns); a name is
 * durable after sync_folder on the folder that holds it. Until then a power cut may keep or lose each sector and each
 * name on its own, in any order. A sync that failed is IO, whatever the errno, and must never be tried again: what was
 * written since the last one that succeeded may or may not be on the disk, whatever reading it back shows. Only a folder
 * for which there is no descriptor was not synced at all (NO_MEMORY); the folder of the database itself always has one.
 *
 * Drivers: posix_files.c (the host), sim_files.c (a disk in memory that forgets, tears and fails; sim.h).
 * Every driver passes tests/unit/platform/acceptance.c.
 *
 * Errors, the same for every driver (sopi_file_fail makes them; the path, place and errno are in `err`):
 *   NOT_FOUND  there is no such file or folder
 *   EXISTS     there is one already, or a folder is not empty
 *   NO_SPACE   ENOSPC, EDQUOT
 *   NO_MEMORY  ENOMEM, or our own allocation; EMFILE, ENFILE: there is no descriptor for what had to be opened
 *   READ_ONLY  EROFS; EACCES or EPERM of a call that would change something
 *   LOCKED     another open file holds a lock that does not go with the one asked for
 *   LIMIT      EFBIG: the file would be larger than the file system allows
 *   UNSUPPORTED  the file system cannot do that
 *   CORRUPT    the name is there but is not what it must be: a symbolic link, a pipe, a folder instead of a file, ...
 *   MISUSE     a path that could leave the folder: absolute, "..", empty names, too long
 *   IO         everything else, EACCES of a call that only reads included */
#ifndef SOPI_FILE_H
#define SOPI_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SOPI_PATH_BYTES_MAX = 240
}; /* of a path below the database's folder: fits in sop_error.file */

/* Flags of sopi_folder_open_file, at least one of the first two. */
enum {
	SOPI_FILE_READ = 1,
	SOPI_FILE_WRITE = 2,
	SOPI_FILE_CREATE = 4, /* make it, empty, if it is missing */
	SOPI_FILE_EXCLUSIVE = 8, /* with CREATE: EXISTS if it is not missing */
	SOPI_FILE_DIRECT = 16, /* past the page cache and durable at once, where the file system can; see direct_bytes */
};

/* Flags of sopi_files_open_folder. */
enum { SOPI_FOLDER_CREATE = 1 }; /* make it if it is missing, its name durable */

enum sopi_lock { SOPI_LOCK_SHARED, SOPI_LOCK_EXCLUSIVE };

/* Who else holds the lock of a file. */
struct sopi_locked {
	bool by_others; /* somebody does */
	bool shared; /* by handles that share it */
	uint64_t process; /* one of those that share it; 0: not known */
};

enum sopi_entry_kind { SOPI_ENTRY_FILE, SOPI_ENTRY_FOLDER, SOPI_ENTRY_OTHER };

/* What a name stands for. */
struct sopi_entry {
	enum sopi_entry_kind kind; /* of the name itself: a symbolic link is OTHER */
	uint64_t size; /* bytes of a file, 0 otherwise */
	uint64_t links; /* names that a file has */
};

enum sopi_file_system_kind {
	SOPI_FILE_SYSTEM_LOCAL, /* locks and syncs mean what they say, or so it is believed of an unknown one */
	SOPI_FILE_SYSTEM_NETWORK, /* NFS, SMB and the like: another host may have it too */
	SOPI_FILE_SYSTEM_FUSE, /* a program: nobody knows */
};

/* Where a folder lies. */
struct sopi_file_system {
	char name[16]; /* "ext4", or the magic number where the name is not known */
	enum sopi_file_system_kind kind;
	uint64_t free_bytes; /* that we may use */
	uint64_t total_bytes;
};

struct sopi_files;
struct sopi_folder;
struct sopi_file;

/* Told of each entry by `list`; a status other than OK ends the list and is returned. `name` lives for the call. */
typedef sop_status (*sopi_list_fn)(void *arg, const char *name, enum sopi_entry_kind kind,
				   sop_error *err);

/* What a driver provides. Any thread may call any function at any time between open and close; two writes to the same
 * bytes at the same time leave either or a mixture. Every function may block on the device unless it says otherwise.
 * A failed call may have done a part of its work only where that is said. */
struct sopi_files_driver {
	/* Opens the database's folder `path`, a path as the user gave it: absolute or relative to the working
	 * directory, symbolic links in it are followed. With CREATE its parent must exist. */
	sop_status (*open_folder)(struct sopi_files *files, const char *path, unsigned flags,
				  struct sopi_folder **out, sop_error *err);

	/* Frees the handle; files opened through it live on. Must not fail. */
	void (*close_folder)(struct sopi_folder *folder);

	/* Opens a regular file. Writing goes where `offset` says, there is no position. */
	sop_status (*open_file)(struct sopi_folder *folder, const char *path, unsigned flags,
				struct sopi_file **out, sop_error *err);

	/* Makes a folder; EXISTS if anything has the name. Durable after sync_folder of its parent. */
	sop_status (*make_folder)(struct sopi_folder *folder, const char *path, sop_error *err);

	/* Tells `fn` of everything in the folder `path`, in no order, without "." and "..". Entries that come or go
	 * meanwhile may or may not be told. */
	sop_status (*list)(struct sopi_folder *folder, const char *path, sopi_list_fn fn, void *arg,
			   sop_error *err);

	/* What `path` is. */
	sop_status (*look)(struct sopi_folder *folder, const char *path, struct sopi_entry *entry,
			   sop_error *err);

	/* Gives the file or folder `from` the name `to`, replacing a file that has it, at one stroke: after a crash
	 * there is the old or the new, never neither. Durable after sync_folder of the folder of `to`, then of `from`. */
	sop_status (*rename)(struct sopi_folder *folder, const char *from, const char *to,
			     sop_error *err);

	/* Gives the file `from` the further name `to`; EXISTS if anything has it (of many callers exactly one gets OK).
	 * Durable after sync_folder of the folder of `to`. */
	sop_status (*link)(struct sopi_folder *folder, const char *from, const char *to, sop_error *err);

	/* Takes a name away that is not a folder's; what it named goes with its last name and last handle. Links are
	 * removed, not followed. Durable after sync_folder. */
	sop_status (*remove)(struct sopi_folder *folder, const char *path, sop_error *err);

	/* The same for what may be large and is open nowhere: its bytes may go a piece at a time before its name does, so
	 * that no flush waits long. If it fails, or after a crash, it may be there and shorter. NULL: remove does it. */
	sop_status (*remove_large)(struct sopi_folder *folder, const char *path, sop_error *err);

	/* Takes an empty folder away; EXISTS if it is not empty. Durable after sync_folder of its parent. */
	sop_status (*remove_folder)(struct sopi_folder *folder, const char *path, sop_error *err);

	/* On return all names in the folder `path` are durable as they were when it was called; what those names stand
	 * for is not. */
	sop_status (*sync_folder)(struct sopi_folder *folder, const char *path, sop_error *err);

	/* Kind and space of the file system that the folder lies on. */
	sop_status (*file_system)(struct sopi_folder *folder, struct sopi_file_system *out,
				  sop_error *err);

	/* Which folder it is, however it was reached: no two folders of this port that are open or exist have the same
	 * `id`. May be NULL: then nobody can tell. */
	sop_status (*identify)(struct sopi_folder *folder, uint64_t id[2], sop_error *err);

	/* Is `folder` the folder `other`, or somewhere below it? Folders above it that may not be searched count as others.
	 * May be NULL: then nobody can tell. */
	sop_status (*lies_in)(struct sopi_folder *folder, struct sopi_folder *other, bool *inside,
			      sop_error *err);

	/* Locks the folder itself, as `lock` does a file, until `*out` is closed: this lock nobody gets round by replacing
	 * a file. Of the functions of files only close may be called. May be NULL, or UNSUPPORTED: there are none. */
	sop_status (*lock_folder)(struct sopi_folder *folder, enum sopi_lock kind,
				  struct sopi_file **out, sop_error *err);

	/* Reads `size` bytes at `offset`; `*got` is less only where the file ends. REQUIRES: opened to READ. */
	sop_status (*read)(struct sopi_file *file, uint64_t offset, void *to, size_t size,
			   size_t *got, sop_error *err);

	/* Writes all of `size` bytes at `offset`, making the file longer if need be (a gap reads as zeros). A failure
	 * may have written any part. REQUIRES: opened to WRITE. */
	sop_status (*write)(struct sopi_file *file, uint64_t offset, const void *from, size_t size,
			    sop_error *err);

	/* Reserves room, so that writes to these bytes do not run out of space; a part beyond the end makes the file
	 * longer and reads as zeros. Any number of times. UNSUPPORTED where the file system cannot. A failure may have
	 * reserved a part. REQUIRES: opened to WRITE. */
	sop_status (*allocate)(struct sopi_file *file, uint64_t offset, uint64_t size, sop_error *err);

	/* Cuts the file, or makes it longer with zeros, to `size` bytes. REQUIRES: opened to WRITE. */
	sop_status (*resize)(struct sopi_file *file, uint64_t size, sop_error *err);

	/* Begins to hand these bytes to the device, and waits for what was begun in them before: so that a sync at the end finds
	 * little to do, and does not fill the device's queue before others. Nothing is durable by it. A failure may be the only
	 * time that lost bytes are reported. REQUIRES: opened to WRITE. */
	sop_status (*write_back)(struct sopi_file *file, uint64_t offset, uint64_t size, sop_error *err);

	/* On return the content and size as they were when it was called are durable. */
	sop_status (*sync_data)(struct sopi_file *file, sop_error *err);

	/* The same, and everything else about the file. */
	sop_status (*sync)(struct sopi_file *file, sop_error *err);

	/* Bytes that the file has. Does not block. */
	sop_status (*size)(struct sopi_file *file, uint64_t *size, sop_error *err);

	/* Locks the file against other handles, in this process and others, until unlock, close, or the end of the
	 * process (a child that it forked does not keep it). Does not wait: LOCKED at once. A second call changes the
	 * kind. REQUIRES: opened to READ; EXCLUSIVE: to WRITE, too. */
	sop_status (*lock)(struct sopi_file *file, enum sopi_lock kind, sop_error *err);

	/* Does another handle, in this process or another, hold a lock on the file? Takes none. REQUIRES: opened to
	 * READ. */
	sop_status (*is_locked)(struct sopi_file *file, struct sopi_locked *locked, sop_error *err);

	/* Gives the lock back, if there is one. Must not fail. */
	void (*unlock)(struct sopi_file *file);

	/* Frees the handle; says nothing about durability. Must not fail. No call may be running or follow. */
	void (*close)(struct sopi_file *file);
};

/* The heads of every driver's own structures. */
struct sopi_files {
	const struct sopi_files_driver *driver;
};

struct sopi_folder {
	const struct sopi_files_driver *driver;
};

struct sopi_file {
	const struct sopi_files_driver *driver;
	size_t direct_bytes; /* 0: through the page cache, sync makes durable. Else DIRECT was granted: write makes
			      * durable, and memory, offset and size of every read and write are multiples of it */
};

/* The same for callers, one name for each slot. All check `path` first. */
sop_status sopi_files_open_folder(struct sopi_files *files, const char *path, unsigned flags,
				  struct sopi_folder **out, sop_error *err);
bool sopi_files_identify(const struct sopi_files *files); /* can it tell which folder is which? */
void sopi_folder_close(struct sopi_folder *folder); /* takes NULL */
sop_status sopi_folder_open_file(struct sopi_folder *folder, const char *path, unsigned flags,
				 struct sopi_file **out, sop_error *err);
sop_status sopi_folder_make(struct sopi_folder *folder, const char *path, sop_error *err);
sop_status sopi_folder_list(struct sopi_folder *folder, const char *path, sopi_list_fn fn,
			    void *arg, sop_error *err);
sop_status sopi_folder_look(struct sopi_folder *folder, const char *path, struct sopi_entry *entry,
			    sop_error *err);
sop_status sopi_folder_rename(struct sopi_folder *folder, const char *from, const char *to,
			      sop_error *err);
sop_status sopi_folder_link(struct sopi_folder *folder, const char *from, const char *to, sop_error *err);
sop_status sopi_folder_remove(struct sopi_folder *folder, const char *path, sop_error *err);
sop_status sopi_folder_remove_large(struct sopi_folder *folder, const char *path, sop_error *err);
sop_status sopi_folder_remove_folder(struct sopi_folder *folder, const char *path, sop_error *err);
sop_status sopi_folder_sync(struct sopi_folder *folder, const char *path, sop_error *err);
sop_status sopi_folder_file_system(struct sopi_folder *folder, struct sopi_file_system *out,
				   sop_error *err);
sop_status sopi_folder_identify(struct sopi_folder *folder, uint64_t id[2], sop_error *err);
sop_status sopi_folder_lies_in(struct sopi_folder *folder, struct sopi_folder *other, bool *inside,
			       sop_error *err); /* false where nobody can tell */
sop_status sopi_folder_lock_itself(struct sopi_folder *folder, enum sopi_lock kind,
				   struct sopi_file **out,
				   sop_error *err); /* OK and NULL where there are no such locks */
sop_status sopi_file_read(struct sopi_file *file, uint64_t offset, void *to, size_t size,
			  size_t *got, sop_error *err);
sop_status sopi_file_write(struct sopi_file *file, uint64_t offset, const void *from, size_t size,
			   sop_error *err);
sop_status sopi_file_allocate(struct sopi_file *file, uint64_t offset, uint64_t size, sop_error *err);
sop_status sopi_file_resize(struct sopi_file *file, uint64_t size, sop_error *err);
sop_status sopi_file_write_back(struct sopi_file *file, uint64_t offset, uint64_t size, sop_error *err);
sop_status sopi_file_sync_data(struct sopi_file *file, sop_error *err);
sop_status sopi_file_sync(struct sopi_file *file, sop_error *err);
sop_status sopi_file_size(struct sopi_file *file, uint64_t *size, sop_error *err);
sop_status sopi_file_lock(struct sopi_file *file, enum sopi_lock kind, sop_error *err);
sop_status sopi_file_is_locked(struct sopi_file *file, struct sopi_locked *locked, sop_error *err);
void sopi_file_unlock(struct sopi_file *file);
void sopi_file_close(struct sopi_file *file); /* takes NULL */

enum { SOPI_HOLDER_BYTES_MAX = 128 };

/* Locks the file `path` SHARED without writing or making anything: who is kept out learns the process only. NOT_FOUND:
 * there is no such file. Closing `*out` gives the lock back. */
sop_status sopi_folder_lock_reading(struct sopi_folder *folder, const char *path,
				    struct sopi_file **out, sop_error *err);

/* Opens the file `path`, made if it is missing, locks it and leaves `holder` in it (one line such as "process 4711 on
 * host7", cut to SOPI_HOLDER_BYTES_MAX; "" leaves what is there), for the message only: LOCKED says what it finds
 * there. Closing `*out` gives the lock back. SHARED also does with a file that may only be read; NOT_FOUND: where nothing
 * may be made, there is none. */
sop_status sopi_folder_lock(struct sopi_folder *folder, const char *path, enum sopi_lock kind,
			    const char *holder, struct sopi_file **out, sop_error *err);

/* Who holds the lock of the file `path`, taking none and making nothing: `holder` receives the line that sopi_folder_lock
 * left, or one of a process that shares it; "" if neither is known. NOT_FOUND: nobody holds it. */
sop_status sopi_folder_lock_holder(struct sopi_folder *folder, const char *path,
				   char holder[SOPI_HOLDER_BYTES_MAX + 1], sop_error *err);

/* For drivers: the status of `os_errno`, as the list above has it, with a message of what could not be done.
 * `action` completes "cannot ..."; `changing` tells whether the call would have changed something. */
sop_status sopi_file_fail(sop_error *err, int os_errno, bool changing, const char *action,
			  const char *path, int64_t offset);

#endif
