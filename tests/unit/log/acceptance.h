/* What every driver of the log port must do. A test program of a driver runs it all with a function
 * that opens an empty log. */
#ifndef LOG_ACCEPTANCE_H
#define LOG_ACCEPTANCE_H

#include "log/log.h"
#include "platform/thread.h"

#include "support/support.h"

/* Opens an empty log; whoever calls next and submit holds `commit_mutex`. */
typedef sop_status (*log_open)(sopi_mutex *commit_mutex, struct sopi_log **out, sop_error *err);

/* Runs the suite as the group `name`; returns the number of failed tests. */
int log_acceptance_run(const char *name, log_open open);

#endif
