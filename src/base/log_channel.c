/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_channel.h"

#include "base/log.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

enum {
	/* After it was woken, and after each write, a writer waits so long for more lines: under
	 * load they then share a write, and nobody has to wake it. */
	GATHER_MS = 2,
	ACCESS_GATHER_MS = 100, /* nobody watches that one line by line */
	ACCESS_QUEUE_SIZE = 2 * LOG_QUEUE_SIZE,
	BATCH_SIZE = 4 * LOG_RECORD_MAX,
	/* So much of one thread and a gathering writer begins: what it takes is then still in the
	 * processor's cache, and the next entries soon lie there again. Less would wake it more
	 * often, which costs as much as dozens of records. */
	PRESSING = LOG_QUEUE_SIZE / 4,
	ACCESS_PRESSING = 128 * 1024,
};

static char main_batch[BATCH_SIZE];

struct log_channel log_channels[LOG_CHANNELS] = {
        [LOG_MAIN] = {.thread_name = "moongate-log",
                .fault = "log_start",
                .gather_ms = GATHER_MS,
                .queue_size = LOG_QUEUE_SIZE,
                .batch_size = BATCH_SIZE,
                .pressing = PRESSING,
                .batch = main_batch,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .queues_lock = PTHREAD_MUTEX_INITIALIZER,
                .target = {.fd = STDERR_FILENO, .kind = LOG_TARGET_BLOCKING}},
        [LOG_ACCESS] = {.thread_name = "moongate-access",
                .fault = "access_start",
                .gather_ms = ACCESS_GATHER_MS,
                .queue_size = ACCESS_QUEUE_SIZE,
                .batch_size = BATCH_SIZE,
                .pressing = ACCESS_PRESSING,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .queues_lock = PTHREAD_MUTEX_INITIALIZER,
                .target = {.fd = -1}},
};

/* The lock is held. */
static struct log_target replace_target(struct log_channel *c, struct log_target target)
{
	struct log_target old = c->target;

	c->target = target;
	c->is_mid_line = false;
	return old;
}

void log_channel_set_target(struct log_channel *c, struct log_target target)
{
	struct log_target old;

	pthread_mutex_lock(&c->lock);
	old = replace_target(c, target);
	pthread_mutex_unlock(&c->lock);
	log_target_close(&old);
}

bool log_channel_renew_target(struct log_channel *c, struct log_target target)
{
	struct log_target unused = target;
	bool is_present;

	pthread_mutex_lock(&c->lock);
	is_present = c->target.name && strcmp(c->target.name, target.name) == 0;
	if (is_present)
		unused = replace_target(c, target);
	pthread_mutex_unlock(&c->lock);
	log_target_close(&unused);
	return is_present;
}

static uint64_t lines_in(const char *text, size_t len)
{
	const char *end = text + len;
	uint64_t n = 0;

	while (text < end && (text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* Counts the lines that were not taken whole. The lock is held. */
static bool write_lines(struct log_channel *c, const char *text, size_t len)
{
	size_t done = 0;

	/* The rest of a broken line is gone; what follows must not be taken for it. */
	if (c->is_mid_line && log_target_write(&c->target, "\n", 1, &c->deadline_ms) == 1)
		c->is_mid_line = false;
	if (!c->is_mid_line) {
		done = log_target_write(&c->target, text, len, &c->deadline_ms);
		c->is_mid_line = done > 0 && text[done - 1] != '\n';
	}
	if (done < len)
		atomic_fetch_add(&c->lost, lines_in(text + done, len - done));
	return done == len;
}

/* Says in the log how many of its lines were lost since the last time. The lock is held. */
static bool write_note(struct log_channel *c, uint64_t n)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_WARN, "log_lost");
	log_unum(&l, "lines", n - c->told);
	if (l.muted)
		return true;
	l.text[l.len++] = '\n';
	if (!write_lines(c, l.text, l.len)) {
		atomic_fetch_sub(&c->lost, 1); /* the note itself is not one of them */
		return false;
	}
	c->told = n;
	return true;
}

static void write_batch(struct log_channel *c, const char *text, size_t len)
{
	uint64_t n = atomic_load(&c->lost);

	if (c == &log_channels[LOG_MAIN] && n > c->told && !write_note(c, n))
		atomic_fetch_add(&c->lost, lines_in(text, len));
	else
		write_lines(c, text, len);
}

void log_channel_flush(struct log_channel *c)
{
	if (c->len > 0)
		write_batch(c, c->batch, c->len);
	c->len = 0;
}

void log_channel_add(struct log_channel *c, log_record_fn *record_of, const void *bytes, size_t len)
{
	assert(record_of || len <= LOG_RECORD_MAX);
	if (c->batch_size - c->len < LOG_RECORD_MAX)
		log_channel_flush(c);
	char *end = c->batch + c->len;
	size_t n = len;
	if (record_of)
		n = record_of(bytes, len, end, LOG_RECORD_MAX);
	else
		memcpy(end, bytes, len);
	if (record_of && n == 0)
		atomic_fetch_add(&c->lost, 1);
	c->len += n;
}

void log_channel_write_now(
        struct log_channel *c, log_record_fn *record_of, const void *bytes, size_t len)
{
	pthread_mutex_lock(&c->lock);
	log_channel_add(c, record_of, bytes, len);
	log_channel_flush(c);
	pthread_mutex_unlock(&c->lock);
}
