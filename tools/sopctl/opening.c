#include "opening.h"

#include "exec.h"
#include "status.h"
#include "text.h"
#include "try.h"

sop_status opening_open(const struct invocation *invocation, bool create, sop_db **db, sop_error *err)
{
	sop_options *options = NULL;
	sop_status status;

	if (invocation->db != NULL) {
		*db = invocation->db;
		return SOP_OK;
	}
	TRY(sop_options_new(&options, err));
	status = create ? sop_options_set_bool(options, "create", 1, err) : SOP_OK;
	if (status == SOP_OK)
		status = sop_open(invocation->url, options, db, err);
	sop_options_free(options);
	return status;
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
