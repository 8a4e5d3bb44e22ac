/* The parts of the posix driver to each other: posix_files.c (folders), posix_file.c (open files), posix_clock.c,
 * posix_random.c, and platform.c, which puts them together. What each function promises is in the port's header. */
#ifndef SOPI_POSIX_H
#define SOPI_POSIX_H

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/random.h"

extern const struct sopi_clock_driver sopi_posix_clock_driver;
extern const struct sopi_random_driver sopi_posix_random_driver;

/* Wraps `fd`, which it owns from now on, success or not. */
sop_status sopi_posix_file_make(const struct sopi_files_driver *driver, int fd, const char *path,
				size_t direct_bytes, struct sopi_file **out, sop_error *err);

/* The same for a folder, which it locks; only sopi_posix_close may follow. */
sop_status sopi_posix_folder_lock_make(const struct sopi_files_driver *driver, int fd,
				       enum sopi_lock kind, struct sopi_file **out, sop_error *err);

sop_status sopi_posix_open_folder(struct sopi_files *files, const char *path, unsigned flags,
				  struct sopi_folder **out, sop_error *err);
void sopi_posix_close_folder(struct sopi_folder *base);
sop_status sopi_posix_open_file(struct sopi_folder *base, const char *path, unsigned flags,
				struct sopi_file **out, sop_error *err);
sop_status sopi_posix_make_folder(struct sopi_folder *base, const char *path, sop_error *err);
sop_status sopi_posix_list(struct sopi_folder *base, const char *path, sopi_list_fn fn, void *arg,
			   sop_error *err);
sop_status sopi_posix_look(struct sopi_folder *base, const char *path, struct sopi_entry *entry,
			   sop_error *err);
sop_status sopi_posix_rename(struct sopi_folder *base, const char *from, const char *to, sop_error *err);
sop_status sopi_posix_link(struct sopi_folder *base, const char *from, const char *to, sop_error *err);
sop_status sopi_posix_remove(struct sopi_folder *base, const char *path, sop_error *err);
sop_status sopi_posix_remove_large(struct sopi_folder *base, const char *path, sop_error *err);
sop_status sopi_posix_remove_folder(struct sopi_folder *base, const char *path, sop_error *err);
sop_status sopi_posix_sync_folder(struct sopi_folder *base, const char *path, sop_error *err);
sop_status sopi_posix_file_system(struct sopi_folder *base, struct sopi_file_system *out, sop_error *err);
sop_status sopi_posix_identify(struct sopi_folder *base, uint64_t id[2], sop_error *err);
sop_status sopi_posix_lies_in(struct sopi_folder *base, struct sopi_folder *other, bool *inside,
			      sop_error *err);
sop_status sopi_posix_lock_folder(struct sopi_folder *base, enum sopi_lock kind,
				  struct sopi_file **out, sop_error *err);

sop_status sopi_posix_read(struct sopi_file *base, uint64_t offset, void *to, size_t size,
			   size_t *got, sop_error *err);
sop_status sopi_posix_write(struct sopi_file *base, uint64_t offset, const void *from, size_t size,
			    sop_error *err);
sop_status sopi_posix_allocate(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err);
sop_status sopi_posix_resize(struct sopi_file *base, uint64_t size, sop_error *err);
sop_status sopi_posix_write_back(struct sopi_file *base, uint64_t offset, uint64_t size, sop_error *err);
sop_status sopi_posix_sync_data(struct sopi_file *base, sop_error *err);
sop_status sopi_posix_sync(struct sopi_file *base, sop_error *err);
sop_status sopi_posix_size(struct sopi_file *base, uint64_t *size, sop_error *err);
sop_status sopi_posix_lock(struct sopi_file *base, enum sopi_lock kind, sop_error *err);
sop_status sopi_posix_is_locked(struct sopi_file *base, struct sopi_locked *locked, sop_error *err);
void sopi_posix_unlock(struct sopi_file *base);
void sopi_posix_close(struct sopi_file *base);

#ifdef SOP_TEST_HOOKS
/* Lets no read or write move more than `bytes` at once, and interrupts every third (0: off), as a busy system may; and
 * whatever reserves more than a little space. */
void sopi_posix_short_io(size_t bytes);
#endif

#endif
