#include "opening.h"

#include "exec.h"
#include "status.h"
#include "text.h"
#include "try.h"

static sop_status open_with(const char *url, const char *option, sop_db **db, sop_error *err)
{
	sop_options *options = NULL;
	sop_status status;

	TRY(sop_options_new(&options, err));
	status = option != NULL ? sop_options_set_bool(options, option, 1, err) : SOP_OK;
	if (status == SOP_OK)
		status = sop_open(url, options, db, err);
	sop_options_free(options);
	return status;
}

sop_status opening_open_url(const char *url, enum opening how, sop_db **db, sop_error *err)
{
	sop_status status = SOP_UNSUPPORTED;

	if (how == OPENING_CREATE)
		return open_with(url, "create", db, err);
	if (how == OPENING_LOOK)
		status = open_with(url, "read_only", db, err);
	if (status == SOP_UNSUPPORTED) /* also where LOCK got lost, and has to be made */
		status = open_with(url, NULL, db, err);
	return status;
}

sop_status opening_open(const struct invocation *invocation, enum opening how, sop_db **db, sop_error *err)
{
	if (invocation->db == NULL)
		return opening_open_url(invocation->url, how, db, err);
	*db = invocation->db;
	return SOP_OK;
}

sop_status opening_close(const struct invocation *invocation, sop_db *db, sop_error *err)
{
	sop_status status;

	if (invocation->db != NULL)
		return SOP_OK;
	status = sop_close(db, err);
	sop_db_free(db);
	return status;
}

int opening_failed(FILE *to, const sop_error *err)
{
	sop_buf line = SOP_BUF_INIT;

	text_puts(&line, "{\"id\":null,");
	answer_write_error(err, &line);
	text_puts(&line, "}\n");
	fwrite(line.data, 1, line.size, to);
	fflush(to);
	sop_buf_free(&line);
	return exit_code_of(err->status);
}
