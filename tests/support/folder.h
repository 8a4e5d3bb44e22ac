/* Folders for databases on the real disk: under $TMPDIR, or /tmp. */
#ifndef TEST_FOLDER_H
#define TEST_FOLDER_H

#include <stddef.h>
#include <stdint.h>

enum { TEST_PATH_BYTES = 256 };

/* Makes a new, empty folder; `path` receives its name. The program ends if there is none to be had. */
void test_folder_make(char path[TEST_PATH_BYTES]);

/* The same, in memory where the system has a place for that: for tests of what is read and written, not of the disk. */
void test_folder_make_fast(char path[TEST_PATH_BYTES]);

/* The path of something below `folder` that no other call has given. */
void test_folder_fresh(const char *folder, char *path, size_t room);

/* Removes it with all that is in it; one that is missing is no error. */
void test_folder_remove(const char *path);

/* Bytes on disk of all files in `path` and below: what is allocated, not how long they are. */
uint64_t test_folder_disk_bytes(const char *path);

/* A checksum of `path` and all below it: names, kinds, times of change and contents. */
uint64_t test_folder_fingerprint(const char *path);

#endif
