/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_drain.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/log_rate.h"

#include <stdlib.h>

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

/* Writes what a queue holds now, or moves it to the batch. Returns how much. The lock is held. */
static size_t gather(struct log_channel *c, struct log_queue *q)
{
	size_t len = log_queue_bytes(q);

	for (size_t left = len; left > 0; left -= log_queue_drop(q)) {
		const struct log_entry *e = log_queue_first(q);

		log_channel_add(c, e->record_of, e->bytes, e->len);
	}
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
	log_channel_add(c, NULL, l.text, l.len);
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
	log_channel_flush(c);
	pthread_mutex_unlock(&c->lock);
	return len > 0;
}

/* The queues are looked through with their lock held, for who closes the access log drains, too. */
static bool has_any(struct log_channel *c,
        bool (*is_so)(const struct log_channel *c, const struct log_queue *q))
{
	bool found = false;

	pthread_mutex_lock(&c->queues_lock);
	for (struct log_queue *q = c->queues; q && !found; q = q->next)
		found = is_so(c, q);
	pthread_mutex_unlock(&c->queues_lock);
	return found;
}

static bool is_work(const struct log_channel *c, const struct log_queue *q)
{
	(void)c;
	return log_queue_bytes(q) > 0 || atomic_load(&q->closed);
}

bool log_drain_has_work(struct log_channel *c)
{
	return has_any(c, is_work);
}

bool log_drain_is_pressing(const struct log_channel *c, const struct log_queue *q)
{
	return log_queue_bytes(q) > c->pressing;
}

bool log_drain_has_pressing_work(struct log_channel *c)
{
	return has_any(c, log_drain_is_pressing);
}

uint64_t log_drain_due(struct log_channel *c)
{
	uint64_t due = UINT64_MAX;

	pthread_mutex_lock(&c->queues_lock);
	for (struct log_queue *q = c->queues; q; q = q->next) {
		uint64_t at = q->rate ? log_rate_due(q->rate) : UINT64_MAX;

		due = at < due ? at : due;
	}
	pthread_mutex_unlock(&c->queues_lock);
	return due;
}
