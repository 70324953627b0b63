/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/spare_pace.h"

#include "net/worker.h"
#include "upstream/spare_server.h"

#include <assert.h>

enum {
	LULL_MS = 2,
	PATIENCE_MS = 10,
	SHARE = 16, /* what may be spent at a time: one with TLS costs all of it */
	CALM_MS = 4,
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static struct spare_server *next_server(const struct spare_pace *p)
{
	return list_entry(p->lacking.next, struct spare_server, turn);
}

static unsigned cost_of(const struct spare_server *x)
{
	return spare_server_is_costly(x) ? SHARE : 1;
}

/* For the next server; there is one. */
static uint64_t due_ms(const struct spare_pace *p)
{
	const struct spare_server *x = next_server(p);
	bool is_bare = spare_server_is_bare(x);
	uint64_t late = p->lack_ms + PATIENCE_MS;
	uint64_t due = p->setups ? late : earlier(p->setup_ms + (is_bare ? 0 : LULL_MS), late);
	uint64_t next = p->begun_ms + (is_bare || cost_of(x) < SHARE ? 1 : CALM_MS);
	return p->spent >= SHARE && due < next ? next : due;
}

static void arm(struct spare_pace *p)
{
	uint64_t now = p->worker->now_ms;
	if (list_is_empty(&p->lacking)) {
		timer_clear(&p->worker->wheel, &p->timer);
		return;
	}
	uint64_t due = due_ms(p);
	worker_timer(p->worker, &p->timer, due > now ? due : now);
}

static void spend(struct spare_pace *p, unsigned cost)
{
	if (p->begun_ms != p->worker->now_ms)
		p->spent = 0;
	p->begun_ms = p->worker->now_ms;
	p->spent += cost;
}

/* The next server's turn, which then is the last one's. */
static void begin_one(struct spare_pace *p)
{
	struct spare_server *x = next_server(p);
	list_remove(&x->turn);
	spend(p, cost_of(x));
	if (spare_server_begin(x) && list_is_empty(&x->turn))
		list_append(&p->lacking, &x->turn);
}

static void begin_due(struct spare_pace *p)
{
	while (!list_is_empty(&p->lacking) && due_ms(p) <= p->worker->now_ms)
		begin_one(p);
	arm(p);
}

static void on_time(struct timer *t)
{
	begin_due(list_entry(t, struct spare_pace, timer));
}

/* It is the end of a turn: a timer would cost one more. */
void spare_pace_lacks(struct spare_pace *p, struct list *turn)
{
	if (!list_is_empty(turn))
		return;
	if (list_is_empty(&p->lacking))
		p->lack_ms = p->worker->now_ms;
	list_append(&p->lacking, turn);
	begin_due(p);
}

void spare_pace_setup(struct spare_pace *p)
{
	p->setups++;
}

void spare_pace_setup_over(struct spare_pace *p)
{
	assert(p->setups > 0);
	p->setup_ms = p->worker->now_ms;
	if (--p->setups == 0)
		arm(p);
}

void spare_pace_init(struct spare_pace *p, struct worker *w)
{
	*p = (struct spare_pace){.worker = w};
	list_init(&p->lacking);
	timer_init(&p->timer, on_time);
}

void spare_pace_fini(struct spare_pace *p)
{
	assert(list_is_empty(&p->lacking) && p->setups == 0);
	timer_clear(&p->worker->wheel, &p->timer);
}
