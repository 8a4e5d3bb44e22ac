/* Which functions of the program a thread is in. */
#include "api/progress.h"

static _Thread_local const struct sopi_told *innermost;

void sopi_told_begin(struct sopi_told *told, const sop_db *db)
{
	told->db = db;
	told->outer = innermost;
	innermost = told;
}

void sopi_told_end(const struct sopi_told *told)
{
	innermost = told->outer;
}

bool sopi_is_told(const sop_db *db)
{
	const struct sopi_told *told = innermost;

	while (told != NULL && told->db != db)
		told = told->outer;
	return told != NULL;
}

bool sopi_progress_tell(void *arg, uint64_t done, uint64_t total)
{
	const struct sopi_progress *progress = arg;
	struct sopi_told told;
	bool go_on;

	if (progress->fn == NULL)
		return true;
	sopi_told_begin(&told, progress->db);
	go_on = progress->fn(progress->arg, done, total) == 0;
	sopi_told_end(&told);
	return go_on;
}
