/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/health.h"

#include "base/mem.h"
#include "base/random.h"
#include "net/worker.h"
#include "upstream/probe.h"
#include "upstream/srv.h"

#include <string.h>

/* One server of a group. */
enum { LEAVING_LOOK_MS = 10 }; /* between two looks at a connection that is being ended */

struct check {
	struct list node; /* watched->checks */
	struct watched *watched;
	struct server_state *state; /* referenced */
	struct timer timer;         /* the next probe; or the end of the present one's time */
	uint64_t next_ms, deadline_ms;
	struct probe probe;
	bool has_verdict; /* of the present probe */
	bool was_good;    /* the last ones were, in_row of them */
	uint32_t in_row;
	struct retired retired;
};

struct watched {
	struct list node; /* health->watched */
	struct health *health;
	struct upstream_group *group; /* referenced */
	struct list checks;
	const struct watched *before; /* whose place it takes; NULL once that is gone */
	struct timer timer;           /* of a group whose members may change */
	struct srv srv;
};

struct health {
	struct worker *worker;
	struct list watched;
	counter *probes, *failures;
};

static struct worker *worker_of(const struct check *c)
{
	return c->watched->health->worker;
}

/* Up to a tenth sooner or later, so that probes do not stay together. */
static uint64_t jittered(uint32_t interval_ms)
{
	return interval_ms - interval_ms / 10 + random_below(interval_ms / 5 + 1);
}

/* ---- a server ---- */

static void free_check(struct retired *r)
{
	mem_free(list_entry(r, struct check, retired));
}

static void check_free(struct check *c)
{
	probe_end(&c->probe);
	timer_clear(&worker_of(c)->wheel, &c->timer);
	list_remove(&c->node);
	server_state_unref(c->state);
	worker_retire(worker_of(c), &c->retired, free_check);
}

static void judge(struct check *c, bool is_good, const char *reason)
{
	const struct upstream_group *g = c->watched->group;
	bool healthy = atomic_load_explicit(&c->state->healthy, memory_order_relaxed);
	if (c->was_good != is_good)
		c->in_row = 0;
	c->was_good = is_good;
	if (c->in_row < UINT32_MAX)
		c->in_row++;
	if (is_good != healthy && c->in_row >= (is_good ? g->health_rise : g->health_fall))
		server_state_set_healthy(c->state, is_good, worker_of(c)->now_ms, reason);
}

static void on_verdict(struct probe *p, enum probe_verdict verdict, const char *reason)
{
	struct check *c = list_entry(p, struct check, probe);
	c->has_verdict = true;
	if (verdict == PROBE_BAD)
		counter_inc(c->watched->health->failures);
	if (verdict != PROBE_UNKNOWN)
		judge(c, verdict == PROBE_GOOD, reason);
	/* A server may take what is left of the probe's time to end its connection. */
	bool waits = !probe_is_idle(p) && c->deadline_ms < c->next_ms;
	worker_timer(worker_of(c), &c->timer, waits ? c->deadline_ms : c->next_ms);
}

/* Its place among the members, or -1. */
static int find_member(const struct upstream_members *m, const struct server_state *s)
{
	for (unsigned i = 0; m && i < m->n; i++)
		if (m->server[i].state == s)
			return (int)i;
	return -1;
}

static void begin(struct check *c)
{
	struct upstream_group *g = c->watched->group;
	struct worker *w = worker_of(c);
	struct upstream_members *m = upstream_group_members(g);
	int i = find_member(m, c->state);
	if (i < 0) {
		check_free(c);
	} else {
		c->has_verdict = false;
		c->next_ms = w->now_ms + jittered(g->health_interval_ms);
		c->deadline_ms = w->now_ms + g->health_timeout_ms;
		worker_timer(w, &c->timer, c->deadline_ms);
		counter_inc(c->watched->health->probes);
		probe_start(&c->probe, w, g, m, (unsigned)i, on_verdict);
	}
	upstream_members_unref(m);
}

/* A probe that takes longer than the interval delays the next. */
static void on_time(struct timer *t)
{
	struct check *c = list_entry(t, struct check, timer);
	struct worker *w = worker_of(c);
	if (probe_is_leaving(&c->probe) && w->now_ms < c->deadline_ms) {
		worker_timer(w, &c->timer, w->now_ms + LEAVING_LOOK_MS);
		return;
	}
	probe_time_out(&c->probe);
	if (w->now_ms >= c->next_ms)
		begin(c);
	else
		worker_timer(w, &c->timer, c->next_ms);
}

static struct check *find_check(const struct watched *x, const struct server_state *s)
{
	list_each (it, &x->checks) {
		struct check *c = list_entry(it, struct check, node);
		if (c->state == s)
			return c;
	}
	return NULL;
}

/* What was known of the server goes on; a probe that was under way is repeated, or reloads
 * that follow each other fast would leave none the time to end. */
static void inherit(struct check *c, const struct check *before, uint64_t now_ms)
{
	uint64_t latest = now_ms + c->watched->group->health_interval_ms;
	c->in_row = before->in_row;
	c->was_good = before->was_good;
	c->next_ms = before->next_ms < latest ? before->next_ms : latest;
	if (!probe_is_idle(&before->probe) && !before->has_verdict)
		c->next_ms = now_ms;
}

/* The first probes of many servers are spread as the later ones. */
static void check_new(struct watched *x, struct server_state *state)
{
	struct check *c = mem_new(sizeof *c);
	struct worker *w = x->health->worker;
	const struct check *before = x->before ? find_check(x->before, state) : NULL;
	c->watched = x;
	c->state = server_state_ref(state);
	c->next_ms = w->now_ms + random_below(x->group->health_interval_ms);
	if (before)
		inherit(c, before, w->now_ms);
	list_append(&x->checks, &c->node);
	timer_init(&c->timer, on_time);
	worker_timer(w, &c->timer, c->next_ms);
}

/* ---- a group ---- */

/* Those that have gone end by themselves, at their next time. */
static void follow_members(struct watched *x)
{
	struct upstream_members *m = upstream_group_members(x->group);
	for (unsigned i = 0; m && i < m->n; i++)
		if (!find_check(x, m->server[i].state))
			check_new(x, m->server[i].state);
	upstream_members_unref(m);
}

static void on_listed(struct srv *s, const char *error)
{
	(void)error; /* then the members stay as they are */
	follow_members(list_entry(s, struct watched, srv));
}

static void on_look(struct timer *t)
{
	struct watched *x = list_entry(t, struct watched, timer);
	struct worker *w = x->health->worker;
	worker_timer(w, t, w->now_ms + jittered(x->group->health_interval_ms));
	if (!x->group->service)
		follow_members(x);
	else if (!x->srv.resolving)
		srv_start(&x->srv, w, x->group, on_listed);
}

static void watch(struct health *h, struct upstream_group *g, const struct watched *before)
{
	struct watched *x = mem_new(sizeof *x);
	x->health = h;
	x->before = before;
	x->group = upstream_group_ref(g);
	list_init(&x->checks);
	list_append(&h->watched, &x->node);
	timer_init(&x->timer, on_look);
	if (g->is_fixed)
		follow_members(x);
	else
		on_look(&x->timer);
	x->before = NULL;
}

static void watched_free(struct watched *x)
{
	srv_cancel(&x->srv);
	timer_clear(&x->health->worker->wheel, &x->timer);
	while (!list_is_empty(&x->checks))
		check_free(list_entry(x->checks.next, struct check, node));
	list_remove(&x->node);
	upstream_group_unref(x->group);
	mem_free(x);
}

static void forget(struct upstream_group *g, uint64_t now_ms)
{
	struct upstream_members *m = upstream_group_members(g);
	for (unsigned i = 0; m && i < m->n; i++)
		if (!atomic_load_explicit(&m->server[i].state->healthy, memory_order_relaxed))
			server_state_set_healthy(
			        m->server[i].state, true, now_ms, "it is not checked any more");
	upstream_members_unref(m);
}

static struct watched *find_group(const struct list *all, const char *name)
{
	list_each (it, all) {
		struct watched *x = list_entry(it, struct watched, node);
		if (strcmp(x->group->name, name) == 0)
			return x;
	}
	return NULL;
}

static void free_all(struct list *all)
{
	while (!list_is_empty(all))
		watched_free(list_entry(all->next, struct watched, node));
}

struct health *health_new(struct worker *w, counter *probes, counter *failures)
{
	struct health *h = mem_new(sizeof *h);
	h->worker = w;
	h->probes = probes;
	h->failures = failures;
	list_init(&h->watched);
	return h;
}

static void follow_group(struct health *h, struct list *before, struct upstream_group *g)
{
	struct watched *same = find_group(before, g->name);
	if (g->health == HEALTH_OFF) {
		forget(g, h->worker->now_ms);
	} else if (same && same->group == g) {
		list_remove(&same->node);
		list_append(&h->watched, &same->node);
	} else {
		watch(h, g, same);
	}
}

void health_follow(struct health *h, struct upstream_group *const *group, size_t n)
{
	struct list before;
	list_init(&before);
	list_take(&before, &h->watched);
	for (size_t i = 0; i < n; i++)
		follow_group(h, &before, group[i]);
	free_all(&before);
}

void health_free(struct health *h)
{
	if (!h)
		return;
	free_all(&h->watched);
	mem_free(h);
}
