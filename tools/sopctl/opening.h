/* Opening a database for the commands that other programs run, and the line that says why it could not be. */
#ifndef SOPCTL_OPENING_H
#define SOPCTL_OPENING_H

#include "command.h"

#include <sop/database.h>

/* What a database is opened for. */
enum opening {
	OPENING_LOOK, /* nothing of it is written */
	OPENING_CHANGE,
	OPENING_CREATE /* the same; it is made if it is missing */
};

/* Opens the database at `url`. Returns as sop_open. */
sop_status opening_open_url(const char *url, enum opening how, sop_db **db, sop_error *err);

/* Opens the database that `invocation` names. In the shell it is the one that is open. Returns as sop_open. */
sop_status opening_open(const struct invocation *invocation, enum opening how, sop_db **db,
			sop_error *err);

/* Closes what opening_open opened. Returns as sop_close. */
sop_status opening_close(const struct invocation *invocation, sop_db *db, sop_error *err);

/* Prints {"id":null,"status":...} on `to`: what `err` says. Returns the exit code. */
int opening_failed(FILE *to, const sop_error *err);

#endif
