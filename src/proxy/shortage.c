/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/shortage.h"

#include "base/budget.h"
#include "base/log.h"
#include "proxy/session.h"
#include "proxy/tunnel.h"

enum {
	CALM_MIN_MS = 1000,      /* so long without a shortage ends it; doubled each time, */
	CALM_MAX_MS = 32 * 1000, /* so that one that comes and goes does not fill the log */
};

static uint64_t refused(const struct proxy *p)
{
	return counter_get(&p->counters.refused_memory);
}

static void log_begin_of(const struct proxy *p)
{
	struct log_line l;
	log_begin(&l, LOG_LEVEL_WARN, "memory_short");
	log_num(&l, "worker", p->worker->index);
	log_unum(&l, "taken", budget_taken());
	log_unum(&l, "promised", budget_promised());
	log_unum(&l, "memory_max", budget_max());
	log_end(&l);
}

static void log_end_of(const struct proxy *p)
{
	struct log_line l;
	log_begin(&l, LOG_LEVEL_WARN, "memory_available");
	log_num(&l, "worker", p->worker->index);
	log_unum(&l, "refused", refused(p) - p->shortage.refused_before);
	log_end(&l);
}

/* Looked at again while it lasts: what other threads have given back may not be known. */
static void on_calm(struct timer *t)
{
	struct proxy *p = list_entry(t, struct proxy, shortage.end);
	budget_settle();
	if (budget_is_short()) {
		worker_timer(p->worker, t, p->worker->now_ms + p->shortage.calm_ms);
		return;
	}
	p->shortage.is_on = false;
	log_end_of(p);
}

void shortage_init(struct proxy *p)
{
	timer_init(&p->shortage.end, on_calm);
	p->shortage.seen = budget_shortages() - (budget_is_short() ? 1 : 0);
}

void shortage_fini(struct proxy *p)
{
	timer_clear(&p->worker->wheel, &p->shortage.end);
}

static bool has_queue(const struct side *side)
{
	return !side_is_gone(side) && !queue_is_empty(&side->ep.stream->out);
}

static void hold_back(struct session *s)
{
	if (s->state != SESSION_OPEN)
		return;
	for (int i = 0; i < 2; i++)
		if (has_queue(&s->side[i]))
			tunnel_pause(s, s->echoing ? &s->side[i] : &s->side[i ^ 1]);
}

static void hold_all_back(struct proxy *p)
{
	p->shortage.seen = budget_shortages();
	list_each (it, &p->sessions)
		hold_back(list_entry(it, struct session, node));
}

void shortage_begin(struct proxy *p)
{
	struct shortage *s = &p->shortage;
	if (!s->is_on) {
		s->is_on = true;
		s->refused_before = refused(p);
		s->calm_ms = s->calm_ms < CALM_MIN_MS ? CALM_MIN_MS : s->calm_ms * 2;
		if (s->calm_ms > CALM_MAX_MS)
			s->calm_ms = CALM_MAX_MS;
		log_begin_of(p);
	}
	worker_timer(p->worker, &s->end, p->worker->now_ms + s->calm_ms);
}

void shortage_look(struct proxy *p)
{
	if (!budget_is_short() || p->shortage.seen == budget_shortages())
		return;
	shortage_begin(p);
	hold_all_back(p);
}
