/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/keepalive.h"

#include "base/counter.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/siphash.h"
#include "net/stream.h"
#include "net/worker.h"
#include "upstream/dial.h"

#include <assert.h>
#include <stdio.h>

enum { SLOTS = 256 };

struct keepalive {
	struct worker *worker;
	uint8_t hash_key[SIPHASH_KEY_LEN]; /* names may come from clients */
	bool is_stopped;
	uint32_t idle_n;
	struct list slot[SLOTS]; /* of pools */
};

struct keepalive_pool {
	struct list node;
	struct keepalive *all;
	struct list idle;    /* the one used last first */
	struct list waiting; /* of leases, first come first */
	uint32_t idle_n, waiting_n;
	uint32_t busy_n;   /* leases that are held */
	uint32_t called_n; /* those that are told at the end of this turn that they are */
	uint32_t size;
	int64_t backlog; /* -1 = none: busy_n is not limited */
	struct retired retired;
	bool is_address;
	size_t name_len;
	uint8_t name[];
};

/* An idle connection. */
struct idle {
	struct list node;
	struct keepalive_pool *pool;
	struct stream *stream;
	struct timer timer;
	uint64_t scope;
	struct keepalive_mark mark;
	uint32_t reused;
	struct retired retired;
};

static struct upstream_counters *counters_of(const struct keepalive *k)
{
	struct upstream_worker *u = k->worker->layer[WORKER_UPSTREAM];
	return &u->counters;
}

/* ---- pools ---- */

bool keepalive_address_key(struct keepalive_key *out, uint8_t room[KEEPALIVE_ADDRESS_MAX],
        const char *scheme, struct slice host, uint16_t port, struct slice tls)
{
	int n = snprintf((char *)room, KEEPALIVE_ADDRESS_MAX, "%s %u %zu ", scheme, port, host.len);
	if (n < 0 || (size_t)n + host.len + tls.len > KEEPALIVE_ADDRESS_MAX)
		return false;
	memcpy(room + n, host.at, host.len);
	if (tls.len)
		memcpy(room + n + host.len, tls.at, tls.len);
	*out = (struct keepalive_key){
	        .name = slice_of(room, (size_t)n + host.len + tls.len), .is_address = true};
	return true;
}

static struct list *slot_of(struct keepalive *k, const struct keepalive_key *key)
{
	return &k->slot[siphash(k->hash_key, key->name.at, key->name.len) % SLOTS];
}

static struct keepalive_pool *find(struct keepalive *k, const struct keepalive_key *key)
{
	struct list *slot = slot_of(k, key);
	list_each (it, slot) {
		struct keepalive_pool *p = list_entry(it, struct keepalive_pool, node);
		if (p->is_address == key->is_address &&
		        slice_equal(slice_of(p->name, p->name_len), key->name))
			return p;
	}
	return NULL;
}

static struct keepalive_pool *make(
        struct keepalive *k, const struct keepalive_key *key, uint32_t size, int64_t backlog)
{
	struct keepalive_pool *p = mem_try(sizeof *p + key->name.len);
	if (!p)
		return NULL;
	*p = (struct keepalive_pool){.all = k,
	        .size = size ? size : KEEPALIVE_SIZE,
	        .backlog = backlog,
	        .is_address = key->is_address,
	        .name_len = key->name.len};
	if (key->name.len)
		memcpy(p->name, key->name.at, key->name.len);
	list_init(&p->idle);
	list_init(&p->waiting);
	list_init(&p->node);
	list_append(slot_of(k, key), &p->node);
	return p;
}

static void free_pool(struct retired *r)
{
	mem_free(list_entry(r, struct keepalive_pool, retired));
}

static void end_if_unused(struct keepalive_pool *p)
{
	if (p->idle_n + p->waiting_n + p->busy_n + p->called_n > 0 || list_is_empty(&p->node))
		return;
	list_remove(&p->node);
	worker_retire(p->all->worker, &p->retired, free_pool);
}

static bool has_turn(const struct keepalive_pool *p)
{
	return p->backlog < 0 || p->busy_n + p->called_n < p->size;
}

/* A place, or an idle connection, is free: those who wait are called. */
static void serve(struct keepalive_pool *p)
{
	while (p->waiting_n > 0 && has_turn(p)) {
		struct lease *l = list_entry(p->waiting.next, struct lease, node);
		list_remove(&l->node);
		p->waiting_n--;
		p->called_n++;
		l->state = LEASE_CALLED;
		worker_timer(p->all->worker, &l->timer, p->all->worker->now_ms);
	}
	end_if_unused(p);
}

/* ---- idle connections ---- */

static void free_idle(struct retired *r)
{
	mem_free(list_entry(r, struct idle, retired));
}

/* Its stream is the caller's. */
static struct stream *take_out(struct idle *i)
{
	struct keepalive *k = i->pool->all;
	struct stream *s = i->stream;
	list_remove(&i->node);
	timer_clear(&k->worker->wheel, &i->timer);
	i->pool->idle_n--;
	k->idle_n--;
	worker_retire(k->worker, &i->retired, free_idle);
	return s;
}

static void die(struct idle *i)
{
	struct keepalive_pool *p = i->pool;
	counter_inc(&counters_of(p->all)->keepalive_died);
	stream_free(take_out(i), false);
	serve(p);
}

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	(void)buf, (void)len;
	die(s->owner);
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	(void)end, (void)error;
	die(s->owner);
}

static void on_drain(struct stream *s)
{
	(void)s;
}

static const struct stream_events idle_events = {
        .on_data = on_data,
        .on_end = on_end,
        .on_drain = on_drain,
};

static void on_idle_time(struct timer *t)
{
	struct idle *i = list_entry(t, struct idle, timer);
	struct keepalive_pool *p = i->pool;
	counter_inc(&counters_of(p->all)->keepalive_aged);
	stream_free(take_out(i), false);
	serve(p);
}

static void close_oldest(struct keepalive_pool *p)
{
	counter_inc(&counters_of(p->all)->keepalive_evicted);
	stream_free(take_out(list_entry(p->idle.prev, struct idle, node)), false);
}

static bool has_too_many(const struct keepalive_pool *p)
{
	return p->idle_n > p->size || (p->backlog >= 0 && p->idle_n + p->busy_n > p->size);
}

static void close_surplus(struct keepalive_pool *p)
{
	while (p->idle_n > 0 && has_too_many(p))
		close_oldest(p);
}

static void add(struct keepalive_pool *p, struct idle *i, uint32_t idle_ms)
{
	struct worker *w = p->all->worker;
	struct stream *s = i->stream;
	i->pool = p;
	list_init(&i->node);
	timer_init(&i->timer, on_idle_time);
	if (idle_ms)
		worker_timer(w, &i->timer, w->now_ms + idle_ms);
	s->owner = i;
	s->events = &idle_events;
	stream_resume(s);
	list_append(p->idle.next, &i->node); /* in front of the first */
	p->idle_n++;
	p->all->idle_n++;
	close_surplus(p);
}

/* ---- leases ---- */

/* The last one that was used, of those for that user. */
static struct idle *find_idle(struct keepalive_pool *p, struct lease *l)
{
	list_each (it, &p->idle) {
		struct idle *i = list_entry(it, struct idle, node);
		if (i->scope == 0 ||
		        (i->scope == l->scope && (!l->fits || l->fits(l, i->stream, &i->mark))))
			return i;
	}
	return NULL;
}

/* That one, if it is sound still. */
static bool reuse(struct keepalive_pool *p, struct lease *l)
{
	struct idle *i;
	while ((i = find_idle(p, l))) {
		struct stream *s = take_out(i);
		if (stream_is_quiet(s)) {
			l->stream = s;
			l->reused = i->reused + 1;
			l->mark = i->mark;
			return true;
		}
		counter_inc(&counters_of(p->all)->keepalive_died);
		stream_free(s, false);
	}
	return false;
}

static enum keepalive_got hold(struct keepalive_pool *p, struct lease *l)
{
	l->state = LEASE_HELD;
	p->busy_n++;
	if (!reuse(p, l)) {
		close_surplus(p); /* one for others gives way */
		return KEEPALIVE_CONNECT;
	}
	counter_inc(&counters_of(p->all)->keepalive_reused);
	return KEEPALIVE_REUSED;
}

static void set_free(struct lease *l)
{
	l->state = LEASE_FREE;
	l->pool = NULL;
	l->stream = NULL;
	l->mark = (struct keepalive_mark){.maker = 0};
	l->reused = 0;
}

/* It is its turn; or it has waited long enough. */
static void on_lease_time(struct timer *t)
{
	struct lease *l = list_entry(t, struct lease, timer);
	struct keepalive_pool *p = l->pool;
	if (l->state == LEASE_CALLED) {
		p->called_n--;
		l->fn(l, hold(p, l));
		return;
	}
	list_remove(&l->node);
	p->waiting_n--;
	set_free(l);
	end_if_unused(p);
	l->fn(l, KEEPALIVE_TIMED_OUT);
}

static enum keepalive_got wait_for_turn(
        struct keepalive_pool *p, struct lease *l, uint64_t deadline_ms)
{
	struct upstream_counters *c = counters_of(p->all);
	if (p->waiting_n >= p->backlog) {
		counter_inc(&c->keepalive_refused);
		set_free(l);
		return KEEPALIVE_FULL;
	}
	counter_inc(&c->keepalive_waits);
	l->state = LEASE_WAITING;
	list_append(&p->waiting, &l->node);
	p->waiting_n++;
	worker_timer(p->all->worker, &l->timer, deadline_ms);
	return KEEPALIVE_WAIT;
}

enum keepalive_got keepalive_get(struct keepalive *k, struct lease *l,
        const struct keepalive_key *key, const struct keepalive_limits *limits,
        uint64_t deadline_ms, keepalive_fn fn)
{
	assert(l->state == LEASE_FREE);
	struct keepalive_pool *p = find(k, key);
	*l = (struct lease){.fn = fn, .scope = key->scope, .fits = key->fits};
	list_init(&l->node);
	timer_init(&l->timer, on_lease_time);
	if (!p && (limits->size > 0 || limits->backlog >= 0)) {
		p = make(k, key, limits->size, limits->backlog);
		if (!p)
			return KEEPALIVE_NO_MEMORY;
	}
	l->pool = p;
	if (p && !has_turn(p))
		return wait_for_turn(p, l, deadline_ms);
	if (p)
		return hold(p, l);
	l->state = LEASE_HELD;
	return KEEPALIVE_CONNECT;
}

/* Of a lease that is held. */
static void leave(struct lease *l)
{
	if (l->pool)
		l->pool->busy_n--;
	set_free(l);
}

void keepalive_release(struct keepalive *k, struct lease *l)
{
	struct keepalive_pool *p = l->pool;
	switch ((enum lease_state)l->state) {
	case LEASE_FREE:
		return;
	case LEASE_HELD:
		leave(l);
		break;
	case LEASE_WAITING:
		list_remove(&l->node);
		p->waiting_n--;
		break;
	case LEASE_CALLED:
		p->called_n--;
		break;
	}
	timer_clear(&k->worker->wheel, &l->timer);
	set_free(l);
	if (p)
		serve(p);
}

static struct keepalive_pool *pool_of(
        struct keepalive *k, const struct lease *l, const struct keepalive_key *key)
{
	return l->pool ? l->pool : find(k, key);
}

bool keepalive_has_pool(struct keepalive *k, const struct lease *l, const struct keepalive_key *key)
{
	return pool_of(k, l, key);
}

enum keepalive_put keepalive_put(struct keepalive *k, struct lease *l,
        const struct keepalive_key *key, struct stream *s, uint32_t size, uint32_t idle_ms)
{
	assert(l->state == LEASE_HELD);
	if (stream_peer_closed(s))
		return KEEPALIVE_CLOSED;
	if (!queue_is_empty(&s->out) || !stream_is_quiet(s))
		return KEEPALIVE_DUBIOUS;
	if (k->is_stopped) {
		stream_free(s, false);
		keepalive_release(k, l);
		return KEEPALIVE_KEPT;
	}
	struct idle *i = mem_try(sizeof *i);
	struct keepalive_pool *p = pool_of(k, l, key);
	if (i && !p)
		p = make(k, key, size, -1);
	if (!i || !p) {
		mem_free(i);
		return KEEPALIVE_FAILED;
	}
	*i = (struct idle){.stream = s, .scope = key->scope, .mark = l->mark, .reused = l->reused};
	leave(l);
	add(p, i, idle_ms);
	counter_inc(&counters_of(k)->keepalive_kept);
	serve(p);
	return KEEPALIVE_KEPT;
}

/* ---- all of them ---- */

struct keepalive *keepalive_new(struct worker *w)
{
	struct keepalive *k = mem_new(sizeof *k);
	k->worker = w;
	random_bytes(k->hash_key, sizeof k->hash_key);
	for (unsigned i = 0; i < SLOTS; i++)
		list_init(&k->slot[i]);
	return k;
}

static void close_idle(struct keepalive_pool *p)
{
	while (p->idle_n > 0)
		stream_free(take_out(list_entry(p->idle.next, struct idle, node)), false);
	serve(p);
}

void keepalive_stop(struct keepalive *k)
{
	k->is_stopped = true;
	for (unsigned i = 0; i < SLOTS; i++)
		for (struct list *after, *it = k->slot[i].next; it != &k->slot[i]; it = after) {
			after = it->next;
			close_idle(list_entry(it, struct keepalive_pool, node));
		}
}

void keepalive_free(struct keepalive *k)
{
	if (!k)
		return;
	keepalive_stop(k);
	for (unsigned i = 0; i < SLOTS; i++)
		assert(list_is_empty(&k->slot[i]));
	mem_free(k);
}

uint32_t keepalive_idle(const struct keepalive *k)
{
	return k->idle_n;
}
