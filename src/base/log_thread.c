/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_thread.h"

#include "base/clock.h"
#include "base/log_channel.h"
#include "base/log_drain.h"
#include "base/log_rate.h"
#include "base/log_writer.h"

#include <errno.h>

static _Atomic uint32_t lines_per_second; /* of one event and thread; 0 = any */

static _Thread_local struct log_queue *own[LOG_CHANNELS];
static _Thread_local bool has_none[LOG_CHANNELS]; /* no memory for a queue */

void log_set_rate(uint32_t per_second)
{
	atomic_store(&lines_per_second, per_second);
}

static void take_queue(struct log_channel *c, struct log_queue **q)
{
	if (!*q)
		return;
	/* From here on it is the writer's. */
	atomic_store(&(*q)->closed, true);
	*q = NULL;
	if (atomic_load(&c->is_running))
		log_writer_wake(c, false);
	else
		log_drain(c);
}

void log_thread_init(void)
{
	int saved = errno;

	if (!own[LOG_MAIN]) {
		own[LOG_MAIN] = log_drain_add(&log_channels[LOG_MAIN]);
		has_none[LOG_MAIN] = !own[LOG_MAIN];
	}
	errno = saved;
}

void log_thread_fini(void)
{
	int saved = errno;

	for (int i = 0; i < LOG_CHANNELS; i++) {
		has_none[i] = false;
		take_queue(&log_channels[i], &own[i]);
	}
	errno = saved;
}

static void queue(struct log_channel *c, struct log_queue *q, log_record_fn *record_of,
        const void *bytes, size_t len)
{
	if (!log_queue_put(q, record_of, bytes, len))
		atomic_fetch_add(&c->lost, 1);
	log_writer_wake(c, log_drain_is_pressing(c, q));
}

static void put(int which, log_record_fn *record_of, const void *bytes, size_t len)
{
	struct log_channel *c = &log_channels[which];

	if (!atomic_load(&c->is_running) || (!own[which] && !has_none[which]))
		log_channel_write_now(c, record_of, bytes, len);
	else if (own[which])
		queue(c, own[which], record_of, bytes, len);
	else
		atomic_fetch_add(&c->lost, 1);
}

void log_thread_put(const char *line, size_t len)
{
	int saved = errno;

	put(LOG_MAIN, NULL, line, len);
	errno = saved;
}

bool log_thread_may(enum log_level level, const char *event)
{
	uint32_t limit = atomic_load_explicit(&lines_per_second, memory_order_relaxed);
	struct log_queue *q = own[LOG_MAIN];
	enum log_rate_verdict verdict;

	if (limit == 0 || !q || !q->rate || !atomic_load(&log_channels[LOG_MAIN].is_running))
		return true;
	verdict = log_rate_ask(q->rate, level, event, limit, clock_ms());
	if (verdict == LOG_RATE_FIRST) {
		int saved = errno;

		log_writer_wake(&log_channels[LOG_MAIN], false);
		errno = saved;
	}
	return verdict == LOG_RATE_PASS;
}

/* The calling thread's queue for records; NULL = it has none. */
static struct log_queue *access_queue(void)
{
	if (!own[LOG_ACCESS] && own[LOG_MAIN] && !has_none[LOG_ACCESS]) {
		own[LOG_ACCESS] = log_drain_add(&log_channels[LOG_ACCESS]);
		has_none[LOG_ACCESS] = !own[LOG_ACCESS];
	}
	return own[LOG_ACCESS];
}

void *log_access_room(size_t len)
{
	int saved = errno;
	struct log_channel *c = &log_channels[LOG_ACCESS];
	struct log_queue *q = log_access_is_on() ? access_queue() : NULL;

	errno = saved;
	return q && atomic_load(&c->is_running) ? log_queue_reserve(q, len) : NULL;
}

void log_access_expect(void)
{
	if (own[LOG_ACCESS])
		log_queue_expect(own[LOG_ACCESS]);
}

void log_access_put(log_record_fn *record_of, const void *facts, size_t len)
{
	int saved = errno;

	if (!log_access_is_on())
		return;
	access_queue();
	put(LOG_ACCESS, record_of, facts, len);
	errno = saved;
}

void log_access_lose(void)
{
	struct log_channel *c = &log_channels[LOG_ACCESS];

	atomic_fetch_add(&c->lost, 1);
	if (atomic_load(&c->is_running))
		log_writer_wake(c, false);
}
