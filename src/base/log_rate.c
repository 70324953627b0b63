/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_rate.h"

#include <stddef.h>
#include <string.h>

/* One line for each part of a configuration, or one in the daemon's life. */
static const char *const unlimited[] = {"config_error", "config_warning", "limits", "listening",
        "not_listening", "ready", "reload_failed", "reloaded", "starting", "stopping", "totals"};

static bool is_unlimited(const char *event)
{
	for (size_t i = 0; i < sizeof(unlimited) / sizeof(unlimited[0]); i++)
		if (strcmp(event, unlimited[i]) == 0)
			return true;
	return false;
}

/* Names are literals, and the same literal may lie at several places. */
static bool is_same(const char *a, const char *b)
{
	return a == b || strcmp(a, b) == 0;
}

static unsigned place_of(const char *event)
{
	uint32_t hash = 2166136261;

	for (; *event; event++)
		hash = (hash ^ (uint8_t)*event) * 16777619;
	return hash % LOG_RATE_EVENTS;
}

/* NULL: the table is full. */
static struct log_rate_event *find(struct log_rate *r, const char *event)
{
	unsigned at = place_of(event);

	for (unsigned i = 0; i < LOG_RATE_EVENTS; i++) {
		struct log_rate_event *e = &r->event[(at + i) % LOG_RATE_EVENTS];
		const char *name = atomic_load_explicit(&e->name, memory_order_relaxed);

		if (!name)
			atomic_store(&e->name, event);
		if (!name || is_same(name, event))
			return e;
	}
	return NULL;
}

/* The first one, for which the writer is to be woken, is the one that finds none. When what it saw
 * before was taken away meanwhile it is due at once: no harm. */
static enum log_rate_verdict suppress(struct log_rate_event *e, enum log_level level)
{
	if (atomic_load(&e->suppressed) == 0) {
		atomic_store(&e->level, (uint32_t)level);
		atomic_store(&e->due_ms, e->since_ms + LOG_RATE_SECOND_MS);
	}
	return atomic_fetch_add(&e->suppressed, 1) == 0 ? LOG_RATE_FIRST : LOG_RATE_SUPPRESSED;
}

enum log_rate_verdict log_rate_ask(struct log_rate *r, enum log_level level, const char *event,
        uint32_t per_second, uint64_t now_ms)
{
	struct log_rate_event *e = find(r, event);

	if (!e)
		return LOG_RATE_PASS;
	if (e->n == 0 || now_ms - e->since_ms >= LOG_RATE_SECOND_MS) {
		e->since_ms = now_ms;
		e->n = 0;
	}
	if (e->n < per_second || is_unlimited(event)) {
		e->n += e->n < per_second;
		return LOG_RATE_PASS;
	}
	return suppress(e, level);
}

bool log_rate_take(
        struct log_rate *r, unsigned *at, uint64_t now_ms, bool all, struct log_rate_count *out)
{
	while (*at < LOG_RATE_EVENTS) {
		struct log_rate_event *e = &r->event[(*at)++];

		if (atomic_load(&e->suppressed) == 0 || (!all && atomic_load(&e->due_ms) > now_ms))
			continue;
		out->n = atomic_exchange(&e->suppressed, 0);
		out->event = atomic_load(&e->name);
		out->level = (enum log_level)atomic_load(&e->level);
		return true;
	}
	return false;
}

uint64_t log_rate_due(const struct log_rate *r)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < LOG_RATE_EVENTS; i++) {
		const struct log_rate_event *e = &r->event[i];
		uint64_t at = atomic_load(&e->due_ms);

		if (atomic_load(&e->suppressed) > 0 && at < due)
			due = at;
	}
	return due;
}
