/* Requests on their way: one thread reads them; each is run by that thread (--threads 1) or by the first that is free.
 * The requests of a session wait for each other in it, so that they run in order. */
#include "exec.h"

#include "status.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	SESSION_BUCKETS = 1 << 14,
	JOBS_MAX = 4096 /* that have been read and not answered */
};
#define JOB_BYTES_MAX ((size_t)64 << 20) /* of their lines */

struct job {
	struct job *next; /* in a queue */
	struct request request;
	struct session *session; /* NULL: none */
};

struct queue {
	struct job *first;
	struct job *last;
};

struct session {
	struct session *next; /* in its bucket */
	sop_bytes name; /* lies behind it */
	struct work work; /* of the thread that runs a job of it */
	bool busy; /* a job of it is ready or running */
	struct queue waiting; /* the others */
};

/* What a thread needs to answer. */
struct desk {
	struct answer answer;
	sop_buf line;
};

struct server {
	struct exec *exec;
	int out;
	pthread_mutex_t out_mutex; /* one line at a time; a leaf */
	atomic_int out_errno; /* why an answer could not be written; 0: all were */

	pthread_mutex_t mutex; /* guards all that follows, and sessions but for their work; a leaf */
	pthread_cond_t ready_cond; /* there is a job, or an end to all of it */
	pthread_cond_t room_cond; /* there is room for another one */
	struct queue ready;
	size_t jobs; /* read and not answered */
	size_t job_bytes;
	bool ended; /* no more come */
	struct session *sessions[SESSION_BUCKETS];
};

/* ---- output */

/* Writes all of `line`; a reader that has gone asks for the end, as a signal does. */
static void write_line(struct server *server, const sop_buf *line)
{
	const char *at = line->data;
	size_t left = line->size;

	pthread_mutex_lock(&server->out_mutex);
	while (left > 0 && atomic_load(&server->out_errno) == 0) {
		const ssize_t count = write(server->out, at, left);

		if (count >= 0) {
			at += count;
			left -= (size_t)count;
		} else if (errno == EAGAIN) {
			struct pollfd wait = { server->out, POLLOUT, 0 };

			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			atomic_store(&server->out_errno, errno);
			stop_ask();
		}
	}
	pthread_mutex_unlock(&server->out_mutex);
}

/* ---- sessions */

static struct session **bucket_of(struct server *server, sop_bytes name)
{
	return &server->sessions[name_hash(name) % SESSION_BUCKETS];
}

static struct session *session_locked(struct server *server, sop_bytes name)
{
	struct session **bucket = bucket_of(server, name);
	struct session *session = *bucket;

	while (session != NULL && !bytes_same(session->name, name))
		session = session->next;
	if (session == NULL) {
		session = memory_of(1, sizeof *session + name.size);
		memcpy(session + 1, name.data, name.size);
		session->name = (sop_bytes){ session + 1, name.size };
		session->next = *bucket;
		*bucket = session;
	}
	return session;
}

/* Forgets a session in which nothing is open. */
static void forget_session_locked(struct server *server, struct session *session)
{
	struct session **link = bucket_of(server, session->name);

	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	free(session);
}

static void end_sessions(struct server *server)
{
	for (size_t i = 0; i < SESSION_BUCKETS; i++) {
		while (server->sessions[i] != NULL) {
			struct session *session = server->sessions[i];

			work_end(&session->work);
			server->sessions[i] = session->next;
			free(session);
		}
	}
}

/* ---- jobs */

static void push(struct queue *queue, struct job *job)
{
	job->next = NULL;
	if (queue->first == NULL)
		queue->first = job;
	else
		queue->last->next = job;
	queue->last = job;
}

static struct job *pop(struct queue *queue)
{
	struct job *job = queue->first;

	if (job != NULL)
		queue->first = job->next;
	return job;
}

static void job_free(struct job *job)
{
	request_free(&job->request);
	free(job);
}

static void run_job(struct server *server, struct job *job, struct desk *desk)
{
	const struct request *request = &job->request;
	struct work work = { 0 };

	answer_begin(&desk->answer, request->id);
	if (job->session != NULL)
		step_run(server->exec, request, &job->session->work, &desk->answer);
	else if (request->kind == REQUEST_TRANSACTION && request->fault.status == SOP_OK)
		step_run(server->exec, request, &work, &desk->answer);
	else
		other_run(server->exec, request, &desk->answer);
	answer_write(server->exec, &desk->answer, request->id, &desk->line);
	write_line(server, &desk->line);
}

/* Makes `job` ready, or lets it wait for the one before it in its session. */
static void hand_over_locked(struct server *server, struct job *job)
{
	if (job->request.session.size > 0) {
		job->session = session_locked(server, job->request.session);
		if (job->session->busy) {
			push(&job->session->waiting, job);
			return;
		}
		job->session->busy = true;
	}
	push(&server->ready, job);
	pthread_cond_signal(&server->ready_cond);
}

/* After `job`: makes the next one of its session ready, or forgets the session if nothing is open in it. */
static void finish_locked(struct server *server, struct job *job)
{
	struct session *session = job->session;

	server->jobs--;
	server->job_bytes -= job->request.line.size;
	pthread_cond_signal(&server->room_cond);
	if (server->jobs == 0 && server->ended)
		pthread_cond_broadcast(&server->ready_cond);
	if (session == NULL)
		return;
	struct job *next = pop(&session->waiting);

	session->busy = next != NULL;
	if (next != NULL) {
		push(&server->ready, next);
		pthread_cond_signal(&server->ready_cond);
	} else if (session->work.txn == NULL) {
		forget_session_locked(server, session);
	}
}

/* Runs jobs until there are no more. Once somebody has asked to stop, those that have not begun are dropped. */
static void *work_on_jobs(void *arg)
{
	struct server *server = arg;
	struct desk desk = { 0 };

	pthread_mutex_lock(&server->mutex);
	for (;;) {
		struct job *job = pop(&server->ready);

		if (job == NULL) {
			if (server->ended && server->jobs == 0)
				break;
			pthread_cond_wait(&server->ready_cond, &server->mutex);
			continue;
		}
		pthread_mutex_unlock(&server->mutex);
		if (!stop_asked())
			run_job(server, job, &desk);
		pthread_mutex_lock(&server->mutex);
		finish_locked(server, job);
		job_free(job);
	}
	pthread_mutex_unlock(&server->mutex);
	answer_free(&desk.answer);
	sop_buf_free(&desk.line);
	return NULL;
}

/* ---- reading */

/* Fills `job` with the next line. Returns false if there is none. */
static bool read_job(struct input *input, struct job *job)
{
	sop_bytes line = { NULL, 0 };
	const enum line_kind kind = input_next(input, &line);

	job->session = NULL;
	request_reset(&job->request);
	if (kind == LINE_TOO_LONG)
		error_set(&job->request.fault, SOP_LIMIT, "a line is longer than 16 MiB; it was skipped");
	if (kind == LINE_TAKEN) {
		text_add(&job->request.line, line.data, line.size);
		request_read(&job->request);
	}
	return kind != LINE_END;
}

/* Runs each request before the next is read. */
static void serve_alone(struct server *server, struct input *input)
{
	struct desk desk = { 0 };
	struct job job = { 0 };

	while (read_job(input, &job)) {
		if (job.request.session.size > 0)
			job.session = session_locked(server, job.request.session);
		run_job(server, &job, &desk);
		if (job.session != NULL && job.session->work.txn == NULL)
			forget_session_locked(server, job.session);
	}
	request_free(&job.request);
	answer_free(&desk.answer);
	sop_buf_free(&desk.line);
}

/* Reads requests for the other threads, no faster than they are answered. */
static void feed(struct server *server, struct input *input)
{
	for (;;) {
		struct job *job = memory_of(1, sizeof *job);

		if (!read_job(input, job)) {
			job_free(job);
			return;
		}
		pthread_mutex_lock(&server->mutex);
		while (server->jobs > 0 &&
		       (server->jobs >= JOBS_MAX || server->job_bytes >= JOB_BYTES_MAX))
			pthread_cond_wait(&server->room_cond, &server->mutex);
		server->jobs++;
		server->job_bytes += job->request.line.size;
		hand_over_locked(server, job);
		pthread_mutex_unlock(&server->mutex);
	}
}

static void serve_with_threads(struct server *server, struct input *input, unsigned threads)
{
	pthread_t workers[EXEC_THREADS_MAX];
	unsigned count = 0;

	while (count < threads && pthread_create(&workers[count], NULL, work_on_jobs, server) == 0)
		count++;
	if (count == 0) { /* the system gives no threads: one after the other is right, too */
		serve_alone(server, input);
		return;
	}
	feed(server, input);
	pthread_mutex_lock(&server->mutex);
	server->ended = true;
	pthread_cond_broadcast(&server->ready_cond);
	pthread_mutex_unlock(&server->mutex);
	for (unsigned i = 0; i < count; i++)
		pthread_join(workers[i], NULL);
}

sop_status exec_serve(struct exec *exec, int in, int out, unsigned threads, sop_error *err)
{
	struct server *server = memory_of(1, sizeof *server);
	struct input input = { .fd = in, .out = out, .line_max = EXEC_LINE_BYTES_MAX };
	int unread, unwritten;

	server->exec = exec;
	server->out = out;
	pthread_mutex_init(&server->out_mutex, NULL);
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->ready_cond, NULL);
	pthread_cond_init(&server->room_cond, NULL);
	if (threads > 1)
		serve_with_threads(server, &input, threads);
	else
		serve_alone(server, &input);
	end_sessions(server);
	unread = input.failed;
	input_free(&input);
	pthread_cond_destroy(&server->room_cond);
	pthread_cond_destroy(&server->ready_cond);
	pthread_mutex_destroy(&server->mutex);
	pthread_mutex_destroy(&server->out_mutex);
	unwritten = atomic_load(&server->out_errno);
	free(server);
	if (unwritten != 0 && unwritten != EPIPE)
		return error_set(err, SOP_IO, "answers could not be written: %s", strerror(unwritten));
	if (unread != 0)
		return error_set(err, SOP_IO, "the input could not be read: %s", strerror(unread));
	return SOP_OK;
}
