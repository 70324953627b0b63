/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_drain.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/log_rate.h"

#include <stdlib.h>
#include <string.h>

enum {
	DIRECT_MIN = 4 * 1024, /* what is less than that goes to a file together with others */
	PIECES = 4,            /* a queue is written in, so that there is soon room again */
};

struct log_queue *log_drain_add(struct log_channel *c)
{
	struct log_queue *q = log_queue_new(c->queue_size);

	if (!q)
		return NULL;
	/* Without memory for it the lines are not limited. */
	if (c == &log_channels[LOG_MAIN])
		q->rate = calloc(1, sizeof(struct log_rate));
	pthread_mutex_lock(&c->queues_lock);
	q->next = c->queues;
	c->queues = q;
	pthread_mutex_unlock(&c->queues_lock);
	return q;
}

static void flush_batch(struct log_channel *c)
{
	log_channel_write(c, c->batch, c->len);
	c->len = 0;
}

static void copy_lines(struct log_channel *c, struct log_queue *q, size_t len)
{
	if (len > c->queue_size - c->len)
		flush_batch(c);
	log_queue_take(q, c->batch + c->len, len);
	c->len += len;
}

/* More than little goes to a file from where it lies, by the piece, so that there is soon room
 * again. Only a line that lies in two pieces is copied. Returns what is left. */
static size_t write_from_queue(struct log_channel *c, struct log_queue *q, size_t len)
{
	const char *at;
	size_t most = c->queue_size / PIECES;

	while (len >= DIRECT_MIN && c->target.kind == LOG_TARGET_FILE) {
		size_t n = log_queue_look(q, len < most ? len : most, &at);

		if (n > 0) {
			flush_batch(c);
			log_channel_write(c, at, n);
			log_queue_drop(q, n);
		} else {
			n = log_queue_first(q);
			copy_lines(c, q, n);
		}
		len -= n;
	}
	return len;
}

/* Writes what a queue holds now, whole lines, or moves it to the batch. Returns how much. The lock
 * is held. */
static size_t gather(struct log_channel *c, struct log_queue *q)
{
	size_t len = log_queue_bytes(q);

	copy_lines(c, q, write_from_queue(c, q, len));
	return len;
}

static void gather_count(struct log_channel *c, const struct log_rate_count *count)
{
	struct log_line l;

	/* As when the first of them was suppressed: the level was on. */
	log_begin(&l, count->level, "suppressed");
	log_text(&l, "event", count->event);
	log_unum(&l, "count", count->n);
	if (l.muted)
		return;
	l.text[l.len++] = '\n';
	if (l.len > c->queue_size - c->len)
		flush_batch(c);
	memcpy(c->batch + c->len, l.text, l.len);
	c->len += l.len;
}

/* What a thread logged too often, once its second is over. The lock is held. */
static void gather_counts(struct log_channel *c, struct log_queue *q, bool all)
{
	struct log_rate_count count;
	unsigned at = 0;

	if (!q->rate)
		return;
	while (log_rate_take(q->rate, &at, clock_ms(), all, &count))
		gather_count(c, &count);
}

static struct log_queue *first_queue(struct log_channel *c)
{
	struct log_queue *q;

	pthread_mutex_lock(&c->queues_lock);
	q = c->queues;
	pthread_mutex_unlock(&c->queues_lock);
	return q;
}

static void unlink_queue(struct log_channel *c, struct log_queue *q)
{
	struct log_queue **at = &c->queues;

	pthread_mutex_lock(&c->queues_lock);
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	pthread_mutex_unlock(&c->queues_lock);
	log_queue_free(q);
}

bool log_drain(struct log_channel *c)
{
	struct log_queue *next;
	size_t len = 0;

	pthread_mutex_lock(&c->lock);
	for (struct log_queue *q = first_queue(c); q; q = next) {
		bool is_last = atomic_load(&q->closed);

		next = q->next;
		len += gather(c, q);
		gather_counts(c, q, is_last);
		if (is_last && log_queue_bytes(q) == 0)
			unlink_queue(c, q);
	}
	flush_batch(c);
	pthread_mutex_unlock(&c->lock);
	return len > 0;
}

bool log_drain_has_work(struct log_channel *c)
{
	for (struct log_queue *q = first_queue(c); q; q = q->next)
		if (log_queue_bytes(q) > 0 || atomic_load(&q->closed))
			return true;
	return false;
}

bool log_drain_is_pressing(const struct log_channel *c, const struct log_queue *q)
{
	return log_queue_bytes(q) > c->pressing;
}

bool log_drain_has_pressing_work(struct log_channel *c)
{
	for (struct log_queue *q = first_queue(c); q; q = q->next)
		if (log_drain_is_pressing(c, q))
			return true;
	return false;
}

uint64_t log_drain_due(struct log_channel *c)
{
	uint64_t due = UINT64_MAX;

	for (struct log_queue *q = first_queue(c); q; q = q->next) {
		uint64_t at = q->rate ? log_rate_due(q->rate) : UINT64_MAX;

		due = at < due ? at : due;
	}
	return due;
}
