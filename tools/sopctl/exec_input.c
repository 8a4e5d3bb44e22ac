/* Lines of requests, and what ends them: the end of the input, signals, a reader of the answers that has gone. */
#include "exec.h"

#include "status.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 << 10)

/* ---- stopping */

static atomic_int asked; /* lock-free: handlers set it, all threads read it */
static int wake[2] = { -1, -1 }; /* a byte in it ends a wait */
static struct sigaction former[3];
static const int caught[3] = { SIGTERM, SIGINT, SIGPIPE };

void stop_ask(void)
{
	const int error = errno; /* this runs in signal handlers */
	ssize_t ignored;

	atomic_store(&asked, 1);
	ignored = write(wake[1], "", 1); /* full: it has been told already */
	(void)ignored;
	errno = error;
}

bool stop_asked(void)
{
	return atomic_load(&asked) != 0;
}

static void on_signal(int number)
{
	(void)number;
	stop_ask();
}

sop_status stop_begin(sop_error *err)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	atomic_store(&asked, 0);
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) {
		error_set(err, SOP_IO, "no pipe for signals: %s", strerror(errno));
		return SOP_IO;
	}
	sigemptyset(&action.sa_mask);
	for (int i = 0; i < 3; i++) {
		if (caught[i] == SIGPIPE)
			action.sa_handler = SIG_IGN;
		sigaction(caught[i], &action, &former[i]);
	}
	return SOP_OK;
}

void stop_end(void)
{
	for (int i = 0; i < 3; i++)
		sigaction(caught[i], &former[i], NULL);
	close(wake[0]);
	close(wake[1]);
	wake[0] = wake[1] = -1;
}

/* ---- lines */

/* Waits until there is something to read. Returns false where nothing more is to be read. */
static bool wait_for_input(const struct input *input)
{
	struct pollfd watched[3] = { { input->fd, POLLIN, 0 },
				     { wake[0], POLLIN, 0 },
				     { input->out, 0, 0 } };

	for (;;) {
		const int count = poll(watched, 3, -1);

		if (stop_asked() || (count < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		if (count > 0 && (watched[2].revents & (POLLERR | POLLNVAL)) != 0)
			return false; /* nobody reads the answers any more */
		if (count > 0 && watched[0].revents != 0)
			return true;
	}
}

/* Reads more behind what is in the buffer, whose taken part is dropped. Returns false at the end. */
static bool read_more(struct input *input)
{
	sop_buf *buffer = &input->buffer;
	ssize_t count;

	if (input->ended || !wait_for_input(input))
		return false;
	if (input->at > 0) {
		memmove(buffer->data, (char *)buffer->data + input->at, buffer->size - input->at);
		buffer->size -= input->at;
		input->at = 0;
	}
	if (buffer->capacity - buffer->size < READ_BYTES) { /* grows by doubling, so that long lines cost no more */
		const size_t wanted = buffer->capacity * 2 + READ_BYTES;

		if (sop_buf_reserve(buffer, wanted, NULL) != SOP_OK)
			return false;
	}
	do
		count = read(input->fd, (char *)buffer->data + buffer->size,
			     buffer->capacity - buffer->size);
	while (count < 0 && errno == EINTR && !stop_asked());
	if (count < 0 && errno == EAGAIN)
		return true;
	if (count <= 0) {
		input->failed = count < 0 && errno != EINTR ? errno : 0;
		input->ended = true;
		return false;
	}
	buffer->size += (size_t)count;
	return true;
}

static bool is_blank(sop_bytes line)
{
	const char *at = line.data;

	for (size_t i = 0; i < line.size; i++) {
		if (at[i] != ' ' && at[i] != '\t' && at[i] != '\r')
			return false;
	}
	return true;
}

/* Finds the next newline; the rest of the input is a line too. What is longer than a line may be is dropped as it
 * comes. Returns false where there is no line. */
static bool take_line(struct input *input, sop_bytes *line, bool *too_long)
{
	size_t searched = 0;

	*too_long = false;
	for (;;) {
		const char *from = (char *)input->buffer.data + input->at;
		const size_t size = input->buffer.size - input->at;
		const char *newline =
			size > searched ? memchr(from + searched, '\n', size - searched) : NULL;

		if (newline != NULL || (input->ended && size > 0)) {
			line->data = from;
			line->size = newline == NULL ? size : (size_t)(newline - from);
			input->at += line->size + (newline != NULL);
			input->line++;
			*too_long = *too_long || line->size > input->line_max;
			return true;
		}
		searched = size;
		if (size > input->line_max) {
			*too_long = true;
			input->at = input->buffer.size;
			searched = 0;
		}
		if (!read_more(input) &&
		    (!input->ended || (input->buffer.size == input->at && !*too_long)))
			return false;
		if (input->ended && input->buffer.size == input->at) {
			input->line += *too_long;
			return *too_long;
		}
	}
}

enum line_kind input_next(struct input *input, sop_bytes *line)
{
	bool too_long;

	while (!stop_asked() && take_line(input, line, &too_long)) {
		if (too_long)
			return LINE_TOO_LONG;
		if (!is_blank(*line))
			return LINE_TAKEN;
	}
	return LINE_END;
}

void input_free(struct input *input)
{
	sop_buf_free(&input->buffer);
}
