/* What every driver of the platform port must do. A test program of a driver makes an empty folder and runs it all. */
#ifndef ACCEPTANCE_H
#define ACCEPTANCE_H

#include "platform/clock.h"
#include "platform/file.h"
#include "platform/platform.h"
#include "platform/random.h"

#include "support/support.h"

/* What a test gets as its state. */
struct acceptance {
	const struct sopi_platform *platform;
	struct sopi_folder *folder; /* empty */
	char path[256]; /* of that folder */
};

/* Runs the suite as the group `name`; `setup` leaves a struct acceptance in `*state`, `teardown` takes all of it away.
 * Returns the number of failed tests. */
int acceptance_run(const char *name, CMFixtureFunction setup, CMFixtureFunction teardown);

/* Helpers for tests of one driver too: each fails the test when the call does. */
struct sopi_file *acceptance_open(struct sopi_folder *folder, const char *path, unsigned flags);
void acceptance_put(struct sopi_folder *folder, const char *path, const char *text);
void acceptance_expect(struct sopi_folder *folder, const char *path, const char *text);
void acceptance_expect_missing(struct sopi_folder *folder, const char *path);

enum { ACCEPTANCE_NEW = SOPI_FILE_READ | SOPI_FILE_WRITE | SOPI_FILE_CREATE | SOPI_FILE_EXCLUSIVE };

#endif
