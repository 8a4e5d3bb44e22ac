/* The host's driver: the acceptance suite, with openat2 and without, with short I/O, and what only a host has: links, pipes, modes,
 * other processes, limits. */
#include "acceptance.h"

#include "base/alloc.h"
#include "platform/fork.h"
#include "platform/posix.h"
#include "platform/posix_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct host {
	struct acceptance acceptance; /* first: the suite knows no more */
	char place[64]; /* for the folder and what lies beside it */
	int descriptors; /* open before */
	int64_t live;
};

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static int setup(void **state)
{
	struct host *host = memset(test_alloc(sizeof *host), 0, sizeof *host);
	sop_error err = SOP_ERROR_INIT;

	host->live = sopi_alloc_live_count();
	host->descriptors = count_descriptors();
	strcpy(host->place, "/tmp/sop-platform-XXXXXX");
	assert_non_null(mkdtemp(host->place));
	host->acceptance.platform = sopi_platform_posix();
	(void)snprintf(host->acceptance.path, sizeof host->acceptance.path, "%s/db", host->place);
	TEST_OK(sopi_files_open_folder(host->acceptance.platform->files, host->acceptance.path,
				       SOPI_FOLDER_CREATE, &host->acceptance.folder, &err),
		err);
	*state = host;
	return 0;
}

static int setup_without_openat2(void **state)
{
	sopi_posix_walk_always(true);
	return setup(state);
}

static int setup_with_short_io(void **state)
{
	sopi_posix_short_io(777);
	return setup(state);
}

static int remove_one(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Every test ends with as many descriptors and allocations as it began with. */
static int teardown(void **state)
{
	struct host *host = *state;

	sopi_posix_walk_always(false);
	sopi_posix_short_io(0);
	sopi_folder_close(host->acceptance.folder);
	assert_int_equal(nftw(host->place, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(count_descriptors(), host->descriptors);
	assert_int_equal(sopi_alloc_live_count(), host->live);
	free(host);
	return 0;
}

static struct sopi_folder *folder_of(void **state)
{
	return ((struct host *)*state)->acceptance.folder;
}

/* The path of `name` for the system: in the folder, or with "../" beside it. */
static const char *system_path(void **state, const char *name, char room[400])
{
	(void)snprintf(room, 400, "%s/%s", ((struct host *)*state)->acceptance.path, name);
	return room;
}

/* ---- what the folder must not let in */

static void symbolic_links_are_not_followed(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	struct sopi_entry entry;
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	assert_int_equal(mkdir(system_path(state, "../outside", room), 0700), 0);
	assert_int_equal(symlink("../outside", system_path(state, "sub", room)), 0);
	acceptance_put(folder, "real", "text");
	assert_int_equal(symlink("real", system_path(state, "link", room)), 0);
	assert_int_equal(symlink("../outside/new", system_path(state, "dangling", room)), 0);

	TEST_STATUS(sopi_folder_open_file(folder, "link", SOPI_FILE_READ, &file, &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_open_file(folder, "dangling", SOPI_FILE_WRITE | SOPI_FILE_CREATE,
					  &file, &err),
		    SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_open_file(folder, "sub/f", ACCEPTANCE_NEW, &file, &err),
		    SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_make(folder, "sub/d", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_rename(folder, "real", "sub/real", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_link(folder, "real", "sub/real", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_sync(folder, "sub", &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_look(folder, "sub/f", &entry, &err), SOP_CORRUPT, err);
	TEST_OK(sopi_folder_look(folder, "link", &entry, &err), err);
	assert_int_equal(entry.kind, SOPI_ENTRY_OTHER);
	assert_int_equal(rmdir(system_path(state, "../outside", room)), 0); /* nothing came in */
}

static void removing_a_symbolic_link_leaves_its_target(void **state)
{
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder_of(state), "real", "text");
	assert_int_equal(symlink("real", system_path(state, "link", room)), 0);
	TEST_OK(sopi_folder_remove(folder_of(state), "link", &err), err);
	acceptance_expect(folder_of(state), "real", "text");
	acceptance_expect_missing(folder_of(state), "link");
}

/* Several megabytes under `name`, which nothing has open any more. */
static void put_large(void **state, const char *name, off_t size)
{
	char room[400];
	const int fd = open(system_path(state, name, room), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(close(fd), 0);
}

static off_t size_of(void **state, const char *name)
{
	struct stat stat;
	char room[400];

	assert_int_equal(lstat(system_path(state, name, room), &stat), 0);
	return stat.st_size;
}

/* What is made shorter before it goes must be nobody else's. */
static void a_large_file_goes_and_no_other_name_of_it_is_touched(void **state)
{
	enum { LARGE_BYTES = (5 << 20) + 7 };
	struct sopi_folder *folder = folder_of(state);
	char from[400], to[400];
	sop_error err = SOP_ERROR_INIT;

	put_large(state, "alone", LARGE_BYTES);
	TEST_OK(sopi_folder_remove_large(folder, "alone", &err), err);
	acceptance_expect_missing(folder, "alone");
	TEST_STATUS(sopi_folder_remove_large(folder, "alone", &err), SOP_NOT_FOUND, err);
	put_large(state, "../target", LARGE_BYTES);
	assert_int_equal(link(system_path(state, "../target", from), system_path(state, "second", to)), 0);
	TEST_OK(sopi_folder_remove_large(folder, "second", &err), err);
	acceptance_expect_missing(folder, "second");
	assert_int_equal(size_of(state, "../target"), LARGE_BYTES);
	assert_int_equal(symlink("../target", system_path(state, "link", to)), 0);
	TEST_OK(sopi_folder_remove_large(folder, "link", &err), err);
	assert_int_equal(size_of(state, "../target"), LARGE_BYTES);
	acceptance_put(folder, "small", "text");
	TEST_OK(sopi_folder_remove_large(folder, "small", &err), err);
	acceptance_expect_missing(folder, "small");
}

static sop_status tell_other(void *arg, const char *name, enum sopi_entry_kind kind, sop_error *err)
{
	(void)err;
	assert_string_equal(name, "odd");
	assert_int_equal(kind, SOPI_ENTRY_OTHER);
	*(int *)arg += 1;
	return SOP_OK;
}

/* Hangs if the pipe is opened as such a thing usually is. */
static void pipes_are_refused_at_once(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	int told = 0;
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	assert_int_equal(mkfifo(system_path(state, "odd", room), 0600), 0);
	TEST_STATUS(sopi_folder_open_file(folder, "odd", SOPI_FILE_READ, &file, &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_open_file(folder, "odd", SOPI_FILE_WRITE, &file, &err), SOP_CORRUPT, err);
	TEST_STATUS(sopi_folder_open_file(folder, "odd", SOPI_FILE_READ | SOPI_FILE_WRITE, &file, &err),
		    SOP_CORRUPT, err);
	TEST_OK(sopi_folder_list(folder, "", tell_other, &told, &err), err);
	assert_int_equal(told, 1);
}

static void the_users_own_links_are_followed(void **state)
{
	struct host *host = *state;
	struct sopi_folder *other = NULL;
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder_of(state), "f", "text");
	assert_int_equal(symlink(host->acceptance.path, system_path(state, "../mydb", room)), 0);
	TEST_OK(sopi_files_open_folder(host->acceptance.platform->files, room, SOPI_FOLDER_CREATE,
				       &other, &err),
		err);
	acceptance_expect(other, "f", "text");
	sopi_folder_close(other);
}

static void a_moved_folder_is_still_the_same(void **state)
{
	char from[400];
	char to[400];

	acceptance_put(folder_of(state), "f", "text");
	(void)snprintf(from, sizeof from, "%s/db", ((struct host *)*state)->place);
	(void)snprintf(to, sizeof to, "%s/moved", ((struct host *)*state)->place);
	assert_int_equal(rename(from, to), 0);
	acceptance_expect(folder_of(state), "f", "text");
	acceptance_put(folder_of(state), "g", "new");
	assert_int_equal(rename(to, from), 0);
}

static unsigned mode_of(const char *path)
{
	struct stat stat;

	assert_int_equal(lstat(path, &stat), 0);
	return stat.st_mode & 07777;
}

static void nobody_else_may_look_inside(void **state)
{
	const mode_t before = umask(0);
	struct sopi_folder *other = NULL;
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder_of(state), "f", "text");
	TEST_OK(sopi_folder_make(folder_of(state), "sub", &err), err);
	TEST_OK(sopi_files_open_folder(sopi_platform_posix()->files, system_path(state, "../new", room),
				       SOPI_FOLDER_CREATE, &other, &err),
		err);
	sopi_folder_close(other);
	umask(before);
	assert_int_equal(mode_of(room), 0700);
	assert_int_equal(mode_of(system_path(state, "sub", room)), 0700);
	assert_int_equal(mode_of(system_path(state, "f", room)), 0600);
}

static void no_descriptor_survives_exec(void **state)
{
	struct sopi_file *file =
		acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW | SOPI_FILE_DIRECT);
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		char path[300];
		char target[400] = "";
		const int fd = atoi(entry->d_name);

		(void)snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof target - 1) > 0 &&
		    strstr(target, "sop-platform-") != NULL) {
			assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
			count++;
		}
	}
	assert_int_equal(count, 2); /* the folder and the file */
	closedir(dir);
	sopi_file_close(file);
}

/* ---- errors of the system */

/* Puts the effective user, and root's power over modes with it, aside; false if we have none. */
static bool become_nobody(void)
{
	return geteuid() != 0 || seteuid(65534) == 0;
}

static void become_oneself(void)
{
	if (geteuid() != getuid())
		assert_int_equal(seteuid(getuid()), 0);
}

static void a_folder_without_permission_is_read_only_or_io(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	sop_status statuses[3];
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder, "f", "text");
	assert_int_equal(chmod(((struct host *)*state)->place, 0755), 0);
	assert_int_equal(chmod(system_path(state, "", room), 0555), 0);
	assert_int_equal(chmod(system_path(state, "f", room), 0000), 0);
	assert_true(become_nobody());
	statuses[0] = sopi_folder_open_file(folder, "f", SOPI_FILE_READ, &file, &err);
	statuses[1] = sopi_folder_open_file(folder, "f", SOPI_FILE_WRITE, &file, NULL);
	statuses[2] = sopi_folder_make(folder, "sub", NULL);
	become_oneself();
	assert_int_equal(chmod(system_path(state, "", room), 0700), 0);
	assert_int_equal(statuses[0], SOP_IO);
	assert_int_equal(err.os_errno, EACCES);
	assert_string_equal(err.message, "cannot open the file: Permission denied; look at the owner "
					 "and mode of the database's folder [f]");
	assert_int_equal(statuses[1], SOP_READ_ONLY);
	assert_int_equal(statuses[2], SOP_READ_ONLY);
}

/* A folder that was made for us inside one that we may pass through but not list. */
static void a_parent_that_may_not_be_read_is_in_nobodys_way(void **state)
{
	struct host *host = *state;
	struct sopi_folder *folder = NULL;
	sop_status status;
	sop_error err = SOP_ERROR_INIT;

	assert_int_equal(chmod(host->acceptance.path, 0777), 0);
	assert_int_equal(chmod(host->place, 0711), 0);
	assert_true(become_nobody());
	status = sopi_files_open_folder(sopi_platform_posix()->files, host->acceptance.path,
					SOPI_FOLDER_CREATE, &folder, &err);
	become_oneself();
	sopi_folder_close(folder);
	TEST_STATUS(status, SOP_OK, err);
}

static void no_descriptor_left_is_told_with_advice(void **state)
{
	struct sopi_file *file = NULL;
	struct rlimit before;
	struct rlimit low;
	sop_status status;
	sop_error err = SOP_ERROR_INIT;

	acceptance_put(folder_of(state), "f", "text");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	status = sopi_folder_open_file(folder_of(state), "f", SOPI_FILE_READ, &file, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(status, SOP_NO_MEMORY);
	assert_int_equal(err.os_errno, EMFILE);
	assert_non_null(strstr(err.message, "ulimit -n"));
}

/* A checkpoint that has renamed its manifest cannot go back. */
static void the_folder_itself_is_synced_without_a_descriptor(void **state)
{
	struct rlimit before, low;
	sop_status itself, inside;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_make(folder_of(state), "tmp", &err), err);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	itself = sopi_folder_sync(folder_of(state), "", &err);
	inside = sopi_folder_sync(folder_of(state), "tmp", NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	TEST_OK(itself, err);
	assert_int_equal(inside, SOP_NO_MEMORY); /* which must not be taken for a failed sync */
}

static void opened(void **state, const char *name, struct sopi_folder **folder)
{
	struct sopi_files *files = ((struct host *)*state)->acceptance.platform->files;
	char room[400];
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_files_open_folder(files, system_path(state, name, room), SOPI_FOLDER_CREATE,
				       folder, &err),
		err);
}

static bool is_in(struct sopi_folder *folder, struct sopi_folder *other)
{
	sop_error err = SOP_ERROR_INIT;
	bool inside = false;

	TEST_OK(sopi_folder_lies_in(folder, other, &inside, &err), err);
	return inside;
}

static void what_lies_in_a_folder_is_known(void **state)
{
	static const char *const names[] = { "", "a", "a/b", "../beside", "../link/a/b" };
	struct sopi_folder *folders[sizeof names / sizeof *names];
	char room[400];

	assert_int_equal(symlink("db", system_path(state, "../link", room)), 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		opened(state, names[i], &folders[i]);
	assert_true(is_in(folders[0], folders[0]));
	assert_true(is_in(folders[1], folders[0]));
	assert_true(is_in(folders[2], folders[0]));
	assert_true(is_in(folders[4], folders[1])); /* whatever the way to it */
	assert_false(is_in(folders[0], folders[1]));
	assert_false(is_in(folders[3], folders[0]));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		sopi_folder_close(folders[i]);
}

/* Locks of a folder go with each other as those of its files do, and end with the handle. */
static void a_folder_itself_is_locked(void **state)
{
	static const enum sopi_lock shared = SOPI_LOCK_SHARED, alone = SOPI_LOCK_EXCLUSIVE;
	struct sopi_file *first = NULL, *second = NULL;
	struct sopi_folder *again;
	sop_error err = SOP_ERROR_INIT;

	opened(state, "", &again);
	TEST_OK(sopi_folder_lock_itself(folder_of(state), alone, &first, &err), err);
	assert_non_null(first);
	TEST_STATUS(sopi_folder_lock_itself(again, alone, &second, &err), SOP_LOCKED, err);
	TEST_STATUS(sopi_folder_lock_itself(again, shared, &second, &err), SOP_LOCKED, err);
	assert_null(second);
	sopi_file_close(first);
	TEST_OK(sopi_folder_lock_itself(folder_of(state), shared, &first, &err), err);
	TEST_OK(sopi_folder_lock_itself(again, shared, &second, &err), err);
	sopi_file_close(first);
	TEST_STATUS(sopi_folder_lock_itself(folder_of(state), alone, &first, &err), SOP_LOCKED, err);
	sopi_file_close(second);
	TEST_OK(sopi_folder_lock_itself(folder_of(state), alone, &first, &err), err);
	sopi_file_close(first);
	sopi_folder_close(again);
}

/* The limit lies in the middle of the write: the system writes a part, and only the next call tells why. */
static void a_write_cut_short_is_an_error_with_its_place(void **state)
{
	struct sopi_file *file = acceptance_open(folder_of(state), "f", ACCEPTANCE_NEW);
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit before;
	struct rlimit low;
	char block[8192] = { 0 };
	uint64_t size = 0;
	sop_status status;
	sop_error err = SOP_ERROR_INIT;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = 5000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	status = sopi_file_write(file, 1000, block, sizeof block, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, handler);
	assert_int_equal(status, SOP_LIMIT);
	assert_int_equal(err.os_errno, EFBIG);
	assert_int_equal(err.offset, 5000);
	TEST_OK(sopi_file_size(file, &size, &err), err);
	assert_int_equal(size, 5000);
	sopi_file_close(file);
}

static void every_errno_has_its_status(void **state)
{
	static const struct {
		int os_errno;
		sop_status reading;
		sop_status changing;
	} rows[] = {
		{ ENOENT, SOP_NOT_FOUND, SOP_NOT_FOUND },
		{ EEXIST, SOP_EXISTS, SOP_EXISTS },
		{ ENOTEMPTY, SOP_EXISTS, SOP_EXISTS },
		{ ENOSPC, SOP_NO_SPACE, SOP_NO_SPACE },
		{ EDQUOT, SOP_NO_SPACE, SOP_NO_SPACE },
		{ ENOMEM, SOP_NO_MEMORY, SOP_NO_MEMORY },
		{ EROFS, SOP_READ_ONLY, SOP_READ_ONLY },
		{ EACCES, SOP_IO, SOP_READ_ONLY },
		{ EPERM, SOP_IO, SOP_READ_ONLY },
		{ EFBIG, SOP_LIMIT, SOP_LIMIT },
		{ EOPNOTSUPP, SOP_UNSUPPORTED, SOP_UNSUPPORTED },
		{ ENOSYS, SOP_UNSUPPORTED, SOP_UNSUPPORTED },
		{ ELOOP, SOP_CORRUPT, SOP_CORRUPT },
		{ ENOTDIR, SOP_CORRUPT, SOP_CORRUPT },
		{ EISDIR, SOP_CORRUPT, SOP_CORRUPT },
		{ EIO, SOP_IO, SOP_IO },
		{ EMFILE, SOP_NO_MEMORY, SOP_NO_MEMORY },
		{ ENFILE, SOP_NO_MEMORY, SOP_NO_MEMORY },
		{ 99999, SOP_IO, SOP_IO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sop_error err = SOP_ERROR_INIT;

		TEST_STATUS(sopi_file_fail(&err, rows[i].os_errno, false, "read", "log/1", 7),
			    rows[i].reading, err);
		TEST_STATUS(sopi_file_fail(&err, rows[i].os_errno, true, "write", "log/1", 7),
			    rows[i].changing, err);
		assert_int_equal(err.os_errno, rows[i].os_errno);
		assert_int_equal(err.offset, 7);
		assert_string_equal(err.file, "log/1");
		assert_non_null(strstr(err.message, "[log/1]"));
	}
}

/* ---- processes */

static void try_lock_and_exit(struct sopi_folder *folder)
{
	struct sopi_file *file = NULL;
	const sop_status status = sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "", &file, NULL);

	_exit(status == SOP_OK ? 10 : status == SOP_LOCKED ? 11 : 12);
}

static int exit_of(pid_t child)
{
	int status = 0;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int try_in_child(struct sopi_folder *folder)
{
	const pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		try_lock_and_exit(folder);
	return exit_of(child);
}

static void another_process_is_locked_out(void **state)
{
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_EXCLUSIVE, "me", &file, &err), err);
	assert_int_equal(try_in_child(folder_of(state)), 11);
	sopi_file_close(file);
	assert_int_equal(try_in_child(folder_of(state)), 10);
}

static void a_lock_ends_with_its_process(void **state)
{
	struct sopi_file *file = NULL;
	int ready[2];
	pid_t child;
	char byte = 0;
	sop_error err = SOP_ERROR_INIT;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_EXCLUSIVE, "child", &file,
				     NULL) == SOP_OK &&
		    write(ready[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	TEST_STATUS(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_EXCLUSIVE, "", &file, &err),
		    SOP_LOCKED, err);
	assert_non_null(strstr(err.message, "by child;"));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(exit_of(child), -1);
	TEST_OK(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_EXCLUSIVE, "", &file, &err), err);
	sopi_file_close(file);
	close(ready[0]);
	close(ready[1]);
}

/* Locks, forks a worker that stays, tells its id and ends without closing, as if it were killed. */
static void own_and_fork_worker(struct sopi_folder *folder, int tell)
{
	struct sopi_file *file = NULL;
	pid_t worker;

	if (sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "", &file, NULL) != SOP_OK)
		_exit(1);
	worker = fork();
	while (worker == 0)
		(void)pause();
	_exit(write(tell, &worker, sizeof worker) == sizeof worker ? 0 : 2);
}

/* Takes the lock, if need be after a while: a new child closes its copy only when it first runs. */
static sop_status lock_soon(struct sopi_folder *folder, struct sopi_file **file, sop_error *err)
{
	sop_status status = SOP_LOCKED;

	for (int i = 0; i < 2000 && status == SOP_LOCKED; i++) {
		status = sopi_folder_lock(folder, "LOCK", SOPI_LOCK_EXCLUSIVE, "", file, err);
		test_sleep_us(status == SOP_LOCKED ? 1000 : 0);
	}
	return status;
}

/* A worker that outlives the process which opened the database must not keep it locked. */
static void a_forked_child_does_not_keep_the_lock(void **state)
{
	struct sopi_folder *folder = folder_of(state);
	struct sopi_file *file = NULL;
	pid_t worker = 0;
	pid_t owner;
	int ready[2];
	sop_error err = SOP_ERROR_INIT;

	assert_int_equal(pipe(ready), 0);
	owner = fork();
	assert_true(owner >= 0);
	if (owner == 0)
		own_and_fork_worker(folder, ready[1]);
	assert_int_equal(read(ready[0], &worker, sizeof worker), sizeof worker);
	assert_int_equal(exit_of(owner), 0);
	TEST_OK(lock_soon(folder, &file, &err), err);
	sopi_file_close(file);
	assert_int_equal(kill(worker, SIGKILL), 0);
	close(ready[0]);
	close(ready[1]);
}

/* The descriptor's number may be somebody else's in the child by the time that the child closes the handle. */
static void closing_a_handle_in_a_child_closes_no_stranger(void **state)
{
	struct sopi_file *file = NULL;
	pid_t child;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_lock(folder_of(state), "LOCK", SOPI_LOCK_EXCLUSIVE, "", &file, &err), err);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const int stranger = open("/dev/null", O_RDONLY); /* takes the number that has come free */

		sopi_file_close(file);
		_exit(fcntl(stranger, F_GETFD) >= 0 ? 10 : 12);
	}
	assert_int_equal(exit_of(child), 10);
	assert_int_equal(try_in_child(folder_of(state)), 11); /* and the parent has its lock still */
	sopi_file_close(file);
}

static void the_file_systems_name_is_known(void **state)
{
	struct sopi_file_system system;
	struct sopi_folder *folder = NULL;
	sop_error err = SOP_ERROR_INIT;

	(void)state;
	if (access("/dev/shm", W_OK) != 0)
		skip();
	TEST_OK(sopi_files_open_folder(sopi_platform_posix()->files, "/dev/shm", 0, &folder, &err), err);
	TEST_OK(sopi_folder_file_system(folder, &system, &err), err);
	sopi_folder_close(folder);
	assert_string_equal(system.name, "tmpfs");
	assert_int_equal(system.kind, SOPI_FILE_SYSTEM_LOCAL);
}

static sop_status create_on_full(struct sopi_folder *folder, sop_error *err)
{
	struct sopi_file *file = NULL;
	sop_status status = sopi_folder_open_file(folder, "full", ACCEPTANCE_NEW, &file, err);

	if (status == SOP_OK)
		status = sopi_file_allocate(file, 0, (uint64_t)1 << 42, err);
	sopi_file_close(file);
	return status;
}

static void more_than_the_disk_holds_is_no_space(void **state)
{
	struct sopi_file_system system;
	sop_error err = SOP_ERROR_INIT;

	TEST_OK(sopi_folder_file_system(folder_of(state), &system, &err), err);
	if (system.total_bytes >= (uint64_t)1 << 42)
		skip();
	TEST_STATUS(create_on_full(folder_of(state), &err), SOP_NO_SPACE, err);
	assert_int_equal(err.os_errno, ENOSPC);
}

/* What is interrupted before it is done begins anew: only less at a time comes to an end. */
static void signals_do_not_keep_space_from_being_reserved(void **state)
{
	const uint64_t bytes = (1 << 20) + 7;
	struct sopi_file *file = NULL;
	sop_error err = SOP_ERROR_INIT;
	uint64_t size = 0;

	TEST_OK(sopi_folder_open_file(folder_of(state), "stormy", ACCEPTANCE_NEW, &file, &err), err);
	TEST_OK(sopi_file_allocate(file, 5, bytes, &err), err);
	TEST_OK(sopi_file_size(file, &size, &err), err);
	assert_int_equal(size, 5 + bytes);
	sopi_file_close(file);
}

#define HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define HOST_SHORT(test) cmocka_unit_test_setup_teardown(test, setup_with_short_io, teardown)
#define HOST_WALK(test)                                                                            \
	{                                                                                          \
#test " (without openat2)", test, setup_without_openat2, teardown, NULL            \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		HOST(symbolic_links_are_not_followed),
		HOST_WALK(symbolic_links_are_not_followed),
		HOST(removing_a_symbolic_link_leaves_its_target),
		HOST_WALK(removing_a_symbolic_link_leaves_its_target),
		HOST(a_large_file_goes_and_no_other_name_of_it_is_touched),
		HOST_WALK(a_large_file_goes_and_no_other_name_of_it_is_touched),
		HOST(pipes_are_refused_at_once),
		HOST_WALK(pipes_are_refused_at_once),
		HOST(the_users_own_links_are_followed),
		HOST(a_moved_folder_is_still_the_same),
		HOST(nobody_else_may_look_inside),
		HOST_WALK(nobody_else_may_look_inside),
		HOST(no_descriptor_survives_exec),
		HOST_WALK(no_descriptor_survives_exec),
		HOST(a_folder_without_permission_is_read_only_or_io),
		HOST(a_parent_that_may_not_be_read_is_in_nobodys_way),
		HOST(no_descriptor_left_is_told_with_advice),
		HOST(the_folder_itself_is_synced_without_a_descriptor),
		HOST(what_lies_in_a_folder_is_known),
		HOST(a_folder_itself_is_locked),
		HOST(a_write_cut_short_is_an_error_with_its_place),
		HOST(every_errno_has_its_status),
		HOST(another_process_is_locked_out),
		HOST(a_lock_ends_with_its_process),
		HOST(a_forked_child_does_not_keep_the_lock),
		HOST(closing_a_handle_in_a_child_closes_no_stranger),
		HOST(the_file_systems_name_is_known),
		HOST(more_than_the_disk_holds_is_no_space),
		HOST_SHORT(signals_do_not_keep_space_from_being_reserved),
	};
	int failed = 0;

	test_begin(argc, argv);
	failed += acceptance_run("posix", setup, teardown);
	failed += acceptance_run("posix, without openat2", setup_without_openat2, teardown);
	failed += acceptance_run("posix, interrupted and cut short", setup_with_short_io, teardown);
	failed += cmocka_run_group_tests_name("posix alone", tests, NULL, NULL);
	return failed;
}
