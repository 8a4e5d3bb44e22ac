/* Reads programs from standard input and runs them: instructions, threads that take turns, answers. */
#include "operations.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, TOKENS_MAX = ARGS_MAX + 3 };

#include "decoder.h"

/* ---- threads that take turns ---------------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct call *call; /* NULL: nothing to do */
	sop_status status;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	(void)pthread_mutex_lock(&worker->lock);
	for (;;) {
		while (worker->call == NULL)
			(void)pthread_cond_wait(&worker->changed, &worker->lock);
		worker->status = worker->call->operation->run(worker->call);
		worker->call = NULL;
		(void)pthread_cond_signal(&worker->changed);
	}
	return NULL;
}

static void worker_start(struct worker *worker)
{
	(void)pthread_mutex_init(&worker->lock, NULL);
	(void)pthread_cond_init(&worker->changed, NULL);
	if (pthread_create(&worker->thread, NULL, work, worker) != 0)
		bug("no thread: %s", strerror(errno));
}

/* Runs the call on thread `number`, 0 being this one, and waits for it. */
static sop_status run_on(struct call *call, size_t number)
{
	static struct worker workers[THREADS];
	static bool started[THREADS];
	struct worker *worker = &workers[number];
	sop_status status;

	if (number == 0)
		return call->operation->run(call);
	if (!started[number])
		worker_start(worker);
	started[number] = true;
	(void)pthread_mutex_lock(&worker->lock);
	worker->call = call;
	(void)pthread_cond_signal(&worker->changed);
	while (worker->call != NULL)
		(void)pthread_cond_wait(&worker->changed, &worker->lock);
	status = worker->status;
	(void)pthread_mutex_unlock(&worker->lock);
	return status;
}

/* ---- instructions --------------------------------------------------------------------------------------------- */

static const struct operation *operation_of(const char *name)
{
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	bug("there is no operation `%s`", name);
}

/* A raw key from the stack becomes what stands in the program elsewhere. */
static char *hex_of(const sop_buf *bytes)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = need(open_memstream(&text, &size));

	(void)putc('x', out);
	print_hex(out, bytes->data, bytes->size);
	(void)fclose(out);
	return text;
}

static void decode(struct call *call, size_t arg, const char *token)
{
	struct arg *to = &call->args[arg];

	switch (call->operation->args[arg]) {
	case 'i':
		to->number = int_of_token(call->machine, token);
		break;
	case 'b':
		bytes_of_token(call->machine, token, &to->bytes);
		break;
	case 'D':
	case 'X':
	case 'C':
	case 'T':
		to->number = strtoll(token, NULL, 10);
		break;
	case 'k':
		if (token[0] == '^') {
			bytes_of_token(call->machine, token, &to->bytes);
			to->text = hex_of(&to->bytes);
			break;
		} /* fall through */
	default:
		to->text = need(strdup(token));
	}
}

static void print_traits(uint32_t traits)
{
	static const char *const names[] = { "RETRY", "ABORT", "MAYBE_COMMITTED", "FATAL", "MISUSE" };
	char between = ' ';

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if ((traits >> i & 1u) == 0)
			continue;
		(void)printf("%c%s", between, names[i]);
		between = '+';
	}
}

static void print_failure(struct call *call, sop_status status)
{
	sop_bytes store = { NULL, 0 };
	sop_bytes key = { NULL, 0 };

	(void)fputs(sop_status_name(status), stdout);
	print_traits(status == SOP_NOT_FOUND || status == SOP_EXISTS ? 0 : call->err.traits);
	if (status == SOP_NOT_FOUND && call->err.store[0] != '\0')
		(void)printf(" store=%s", call->err.store);
	if (status != SOP_CONFLICT || sop_txn_conflict(call->txn, &store, &key, NULL) != SOP_OK)
		return;
	(void)printf(" store=%.*s key=", (int)store.size, (const char *)store.data);
	print_hex(stdout, key.data, key.size);
}

static void perform(struct machine *machine, char *line)
{
	struct call call = { .machine = machine, .err = SOP_ERROR_INIT };
	char *tokens[TOKENS_MAX] = { NULL };
	char *text = NULL;
	char *rest = NULL;
	size_t size = 0;
	size_t count = 0;
	sop_status status;

	for (char *token = strtok_r(line, " ", &rest); token != NULL && count < TOKENS_MAX;
	     token = strtok_r(NULL, " ", &rest))
		tokens[count++] = token;
	call.operation = operation_of(count > 2 ? tokens[2] : "");
	if (count != 3 + strlen(call.operation->args))
		bug("%s takes %zu arguments", tokens[2], strlen(call.operation->args));
	for (size_t i = 3; i < count; i++)
		decode(&call, i - 3, tokens[i]);
	call.spelling = (unsigned)strtoul(tokens[1], NULL, 10);
	call.out = need(open_memstream(&text, &size));
	status = run_on(&call, strtoul(tokens[0], NULL, 10) % THREADS);
	(void)fclose(call.out);
	if (status == SOP_OK)
		(void)printf("OK%s\n", text);
	else if (status == NO_SLOT)
		(void)puts("NONE");
	else {
		print_failure(&call, status);
		(void)puts("");
	}
	for (size_t i = 0; i < ARGS_MAX; i++) {
		sop_buf_free(&call.args[i].bytes);
		free(call.args[i].text);
	}
	free(text);
}

/* ---- programs ------------------------------------------------------------------------------------------------- */

static void begin_program(struct machine *machine, const char *line)
{
	char name[256];

	machine_clear(machine);
	if (sscanf(line, "program %255s %4095s", name, machine->folder) != 2)
		bug("a program needs a name and a folder: %s", line);
	(void)printf("program %s\n", name);
}

static struct machine *machine_new(void)
{
	struct machine *machine = need(calloc(1, sizeof *machine));

	for (size_t i = 0; i < STORES; i++) {
		const char *schema = declarations[i].schema;

		if (schema != NULL && sop_schema_parse((sop_bytes){ schema, strlen(schema) },
						       &machine->schemas[i], NULL) != SOP_OK)
			bug("the schema of %s is none", declarations[i].name);
	}
	return machine;
}

static void machine_free(struct machine *machine)
{
	machine_clear(machine);
	for (size_t i = 0; i < STORES; i++)
		sop_schema_free(machine->schemas[i]);
	sop_buf_free(&machine->keys[0]);
	sop_buf_free(&machine->keys[1]);
	sop_buf_free(&machine->rows);
	free(machine->ints.ints);
	free(machine->ints.bytes);
	free(machine->bytes.ints);
	free(machine->bytes.bytes);
	free(machine);
}

int main(void)
{
	struct machine *machine = machine_new();
	char *line = NULL;
	size_t capacity = 0;
	size_t number = 0;
	ssize_t size;

	while ((size = getline(&line, &capacity, stdin)) > 0) {
		line[size - (line[size - 1] == '\n')] = '\0';
		if (strncmp(line, "program ", 8) == 0) {
			number = 0;
			begin_program(machine, line);
		} else if (strcmp(line, "end") == 0) {
			machine_clear(machine);
			(void)puts("end");
			(void)fflush(stdout);
		} else {
			(void)printf("%zu ", ++number);
			perform(machine, line);
		}
	}
	free(line);
	machine_free(machine);
	return ferror(stdin) || fflush(stdout) != 0;
}
