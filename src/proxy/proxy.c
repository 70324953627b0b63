/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/proxy.h"

#include "base/mem.h"
#include "base/random.h"
#include "net/plain.h"
#include "net/resolver.h"
#include "net/tls_server.h"
#include "proxy/admit.h"
#include "proxy/opening.h"
#include "proxy/preface.h"
#include "proxy/secure.h"
#include "proxy/session.h"
#include "upstream/dial.h"
#include "upstream/health.h"
#include "upstream/spare.h"

#include <assert.h>

const struct counter_info proxy_counter_info[] = {PROXY_COUNTERS(COUNTER_INFO)};
const unsigned proxy_counter_n = sizeof proxy_counter_info / sizeof *proxy_counter_info;

enum {
	SESSIONS_PER_SLAB = 128,
	OPENINGS_PER_SLAB = 16,
	ADMISSIONS_PER_SLAB = 128,
	DRAIN_STEP_MS = 10, /* between two lots of sessions that are told */
};

static void drain_step(struct timer *t);

struct proxy *proxy_new(struct worker *w)
{
	struct proxy *p = mem_new(sizeof *p);
	p->worker = w;
	random_bytes(p->id_key, sizeof p->id_key);
	if (!endpoint_worker_new(w, &session_events) || !upstream_worker_new(w)) {
		endpoint_worker_free(w);
		mem_free(p);
		return NULL;
	}
	list_init(&p->sessions);
	pool_init(&p->session_pool, sizeof(struct session), SESSIONS_PER_SLAB);
	pool_init(&p->opening_pool, sizeof(struct opening), OPENINGS_PER_SLAB);
	pool_init(&p->admission_pool, sizeof(struct admission), ADMISSIONS_PER_SLAB);
	timer_init(&p->drain.timer, drain_step);
	shortage_init(p);
	w->layer[WORKER_PROXY] = p;
	return p;
}

void proxy_free(struct proxy *p)
{
	if (!p)
		return;
	assert(p->count == 0 && !p->health);
	timer_clear(&p->worker->wheel, &p->drain.timer);
	shortage_fini(p);
	route_table_unref(p->routes);
	pool_fini(&p->session_pool);
	pool_fini(&p->opening_pool);
	pool_fini(&p->admission_pool);
	endpoint_worker_free(p->worker);
	upstream_worker_free(p->worker);
	p->worker->layer[WORKER_PROXY] = NULL;
	access_store_free(p->access_store);
	mem_free(p);
}

const struct proxy_counters *proxy_counters(const struct proxy *p)
{
	return &p->counters;
}

struct proxy_listener *proxy_listener_new(const char *name)
{
	struct proxy_listener *l = mem_new(sizeof *l);
	l->name = mem_strdup(name);
	atomic_init(&l->refs, 1);
	return l;
}

struct proxy_listener *proxy_listener_ref(struct proxy_listener *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void proxy_listener_unref(struct proxy_listener *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1)
		return;
	cidr_list_fini(&l->trusted);
	cidr_list_fini(&l->proxy_protocol_from);
	limit_exempt_unref(l->limits.exempt);
	limit_scope_unref(l->scope);
	tls_server_unref(l->tls);
	mem_free(l->name);
	mem_free(l);
}

struct proxy_door *proxy_door_new(struct proxy_listener *l, uint16_t port)
{
	struct proxy_door *d = mem_new(sizeof *d);
	*d = (struct proxy_door){.listener = proxy_listener_ref(l), .refs = 1, .port = port};
	return d;
}

void proxy_door_change(struct proxy_door *d, struct proxy_listener *l)
{
	struct proxy_listener *old = d->listener;
	d->listener = l ? proxy_listener_ref(l) : NULL;
	proxy_listener_unref(old);
}

void proxy_door_unref(struct proxy_door *d)
{
	if (!d || --d->refs > 0)
		return;
	proxy_listener_unref(d->listener);
	mem_free(d);
}

void proxy_set_routes(struct proxy *p, struct route_table *t)
{
	struct route_table *old = p->routes;
	p->routes = route_table_ref(t);
	route_table_unref(old);
}

void proxy_use_groups(struct proxy *p, struct upstream_group *const *group, size_t n)
{
	if (p->drain.on)
		return;
	if (!p->health)
		p->health = health_new(
		        p->worker, &p->counters.health_probes, &p->counters.health_failures);
	for (size_t i = 0; i < n; i++)
		upstream_group_use(group[i], p->worker->now_ms);
	health_follow(p->health, group, n);
}

void proxy_keep_spares(
        struct proxy *p, struct upstream_group *const *group, size_t n, unsigned workers)
{
	if (!p->drain.on)
		spares_follow(p->worker, group, n, workers);
}

static void leave_servers(struct proxy *p)
{
	health_free(p->health);
	p->health = NULL;
	spares_stop(p->worker);
}

void proxy_set_access(struct proxy *p, const struct access_settings *s)
{
	p->access = *s;
	if (p->access_store)
		access_store_renew(p->access_store);
	else if (s->is_on)
		p->access_store = access_store_new();
}

static void lack_memory(struct session *s)
{
	counter_inc(&s->proxy->counters.out_of_memory);
	session_end(s, true);
}

static bool adopt(struct proxy *p, struct stream *stream, const struct address *peer,
        struct proxy_listener *l, struct proxy_door *d)
{
	if (p->drain.on) { /* it was in the backlog when the listener stopped */
		stream_free(stream, false);
		return false;
	}
	struct session *s = session_new(p, stream, peer, l);
	if (s) {
		session_came_by(s, d);
		if (!admit_memory(s))
			return true;
		if (preface_is_due(s))
			endpoint_expect_preface(&s->side[CLIENT].ep);
		else if (secure_begin(s, SLICE("")))
			admit_connection(s);
		else
			lack_memory(s);
	} else {
		counter_inc(&p->counters.out_of_memory);
	}
	return s != NULL;
}

void proxy_set_resolver(struct proxy *p, const struct resolver_settings *s)
{
	struct upstream_worker *u = p->worker->layer[WORKER_UPSTREAM];
	resolver_configure(u->resolver, s);
}

bool proxy_adopt(struct proxy *p, struct stream *stream, const struct address *peer,
        struct proxy_listener *l)
{
	return adopt(p, stream, peer, l, NULL);
}

void proxy_accept(struct proxy *p, int fd, const struct address *peer, struct proxy_door *d)
{
	struct stream *stream = plain_accepted(p->worker, fd);
	if (stream)
		adopt(p, stream, peer, d->listener, d);
	else
		counter_inc(&p->counters.out_of_memory);
}

size_t proxy_session_count(const struct proxy *p)
{
	return p->count;
}

/* ---- stopping ---- */

void proxy_session_gone(struct proxy *p)
{
	if (!p->drain.on || p->count > 0 || !p->drain.done)
		return;
	void (*done)(void *arg) = p->drain.done;
	p->drain.done = NULL;
	timer_clear(&p->worker->wheel, &p->drain.timer);
	done(p->drain.arg);
}

void proxy_session_ends(struct proxy *p, const struct session *s)
{
	if (p->drain.first_told == &s->node)
		p->drain.first_told = s->node.next != &p->sessions ? s->node.next : NULL;
}

/* Tells sessions until `n` have been told, who are moved to the list's end: there are no
 * newcomers. */
static void tell_some(struct proxy *p, size_t n)
{
	while (p->drain.told < n && !list_is_empty(&p->sessions) &&
	        p->sessions.next != p->drain.first_told) {
		struct session *s = list_entry(p->sessions.next, struct session, node);
		list_remove(&s->node);
		list_append(&p->sessions, &s->node);
		if (!p->drain.first_told)
			p->drain.first_told = &s->node;
		p->drain.told++;
		session_stop(s);
	}
}

static void drain_step(struct timer *t)
{
	struct proxy *p = list_entry(t, struct proxy, drain.timer);
	uint64_t passed = p->worker->now_ms - p->drain.start_ms;
	if (passed >= p->drain.spread_ms) {
		tell_some(p, p->drain.total);
		return;
	}
	tell_some(p, (size_t)(p->drain.total * passed / p->drain.spread_ms));
	if (p->count > 0)
		worker_timer(p->worker, t, p->worker->now_ms + DRAIN_STEP_MS);
}

void proxy_drain(struct proxy *p, uint32_t spread_ms, void (*done)(void *arg), void *arg)
{
	leave_servers(p);
	p->drain.on = true;
	p->drain.done = done;
	p->drain.arg = arg;
	p->drain.start_ms = p->worker->now_ms;
	p->drain.spread_ms = spread_ms;
	p->drain.total = p->count;
	drain_step(&p->drain.timer);
	proxy_session_gone(p);
}

void proxy_abort(struct proxy *p)
{
	leave_servers(p);
	while (!list_is_empty(&p->sessions)) {
		struct session *s = list_entry(p->sessions.next, struct session, node);
		session_blame(s, CAUSE_STOPPING, CLOSED_BY_PROXY, 0);
		session_end(s, true);
	}
}
