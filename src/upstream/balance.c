/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/balance.h"

#include "base/random.h"
#include "upstream/holder.h"
#include "upstream/ring.h"
#include "upstream/waiting.h"

#include <assert.h>

enum { WEIGHT_UNIT = 64 }; /* parts of a weight that slow start can tell apart */

static uint64_t bit(unsigned i)
{
	return UINT64_C(1) << i;
}

/* In order with waiting_n: see upstream_free_place(). */
static unsigned active_of(const struct upstream_server *s)
{
	return atomic_load(&s->state->active);
}

static bool has_place(const struct upstream_server *s)
{
	uint32_t limit = server_state_limit(s->state, s->max_connections);
	return limit == 0 || active_of(s) + s->state->idle < limit;
}

/* A server that came back begins with little of its weight. */
static uint32_t weight_of(
        const struct upstream_group *g, const struct upstream_server *s, uint64_t now_ms)
{
	uint32_t whole = s->weight * WEIGHT_UNIT;
	uint64_t since = s->state->up_since_ms;
	if (g->slow_start_ms == 0 || since == 0 || now_ms >= since + g->slow_start_ms)
		return whole;
	uint64_t passed = now_ms > since ? now_ms - since : 0;
	uint32_t part = (uint32_t)(whole * passed / g->slow_start_ms);
	return part ? part : 1;
}

/* ---- the policies: each chooses from a mask that is not empty ---- */

/* Each server earns its weight in credit at every turn; the richest is taken and pays
 * for all. Gives exactly the weights, and spreads each server's turns. */
static unsigned by_turns(
        const struct upstream_group *g, struct upstream_members *m, uint64_t mask, uint64_t now_ms)
{
	int64_t sum = 0;
	unsigned best = UPSTREAM_SERVERS_MAX;
	for (unsigned i = 0; i < m->n; i++) {
		if (!(mask & bit(i)))
			continue;
		struct server_state *s = m->server[i].state;
		uint32_t weight = weight_of(g, &m->server[i], now_ms);
		sum += weight;
		s->current += weight;
		if (best == UPSTREAM_SERVERS_MAX || s->current > m->server[best].state->current)
			best = i;
	}
	m->server[best].state->current -= sum;
	return best;
}

/* a would be less loaded than b with one session more, by their weights. */
static bool is_lighter(const struct upstream_group *g, const struct upstream_server *a,
        const struct upstream_server *b, uint64_t now_ms)
{
	return ((uint64_t)active_of(a) + 1) * weight_of(g, b, now_ms) <
	       ((uint64_t)active_of(b) + 1) * weight_of(g, a, now_ms);
}

static unsigned least_loaded(
        const struct upstream_group *g, struct upstream_members *m, uint64_t mask, uint64_t now_ms)
{
	struct group_state *shared = m->server[0].state->group;
	unsigned best = UPSTREAM_SERVERS_MAX, i = shared->turn % m->n;
	for (unsigned k = 0; k < m->n; k++, i = i + 1 < m->n ? i + 1 : 0) {
		if ((mask & bit(i)) &&
		        (best == UPSTREAM_SERVERS_MAX ||
		                is_lighter(g, &m->server[i], &m->server[best], now_ms)))
			best = i;
	}
	shared->turn = best + 1;
	return best;
}

static unsigned at_random(
        const struct upstream_group *g, struct upstream_members *m, uint64_t mask, uint64_t now_ms)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < m->n; i++)
		if (mask & bit(i))
			sum += weight_of(g, &m->server[i], now_ms);
	uint32_t n = random_below(sum);
	for (unsigned i = 0; i < m->n; i++) {
		if (!(mask & bit(i)))
			continue;
		uint32_t weight = weight_of(g, &m->server[i], now_ms);
		if (n < weight)
			return i;
		n -= weight;
	}
	assert(false);
	return 0;
}

static unsigned better_of_two(
        const struct upstream_group *g, struct upstream_members *m, uint64_t mask, uint64_t now_ms)
{
	unsigned a = at_random(g, m, mask, now_ms);
	uint64_t others = mask & ~bit(a);
	if (!others)
		return a;
	unsigned b = at_random(g, m, others, now_ms);
	return is_lighter(g, &m->server[b], &m->server[a], now_ms) ? b : a;
}

static unsigned choose(const struct upstream_group *g, struct upstream_members *m, uint64_t mask,
        const struct pick_request *r)
{
	if ((mask & (mask - 1)) == 0)
		return (unsigned)__builtin_ctzll(mask);
	switch (g->balance) {
	case BALANCE_LEAST_CONNECTIONS:
		return least_loaded(g, m, mask, r->now_ms);
	case BALANCE_RANDOM_TWO:
		return better_of_two(g, m, mask, r->now_ms);
	case BALANCE_HASH:
		return ring_find(m->ring, r->hash, mask);
	case BALANCE_ROUND_ROBIN:
		break;
	}
	return by_turns(g, m, mask, r->now_ms);
}

/* ---- who can be used ---- */

struct masks {
	uint64_t usable[2]; /* the others, the backups */
	uint64_t full;      /* up, without a place */
	uint64_t idle[2];   /* of these, kept full by idle connections: the others, the backups */
	uint64_t down;      /* not tried yet, with a place */
	bool on_trial;
};

static struct masks look(const struct upstream_members *m, const struct pick_request *r)
{
	struct masks k = {.full = 0};
	/* Nobody overtakes those who wait by having a connection. */
	bool nobody_waits = atomic_load(&m->server[0].state->group->waiting_n) == 0;
	uint64_t spare = nobody_waits ? r->spare : 0;
	for (unsigned i = 0; i < m->n; i++) {
		const struct upstream_server *s = &m->server[i];
		const struct server_state *state = s->state;
		uint64_t until = state->down_until_ms;
		bool is_usable =
		        state->healthy && (until == 0 || (r->now_ms >= until && !state->on_trial));
		k.on_trial |= state->on_trial;
		if (r->tried & bit(i))
			continue;
		if (!has_place(s) && !(spare & bit(i))) {
			k.full |= is_usable ? bit(i) : 0;
			k.idle[s->is_backup] |= is_usable && state->idle ? bit(i) : 0;
		} else if (is_usable)
			k.usable[s->is_backup] |= bit(i);
		else
			k.down |= bit(i);
	}
	return k;
}

/* The one that will be up again first; one that health checks refuse comes last. */
static unsigned least_bad(const struct upstream_members *m, uint64_t mask)
{
	unsigned best = UPSTREAM_SERVERS_MAX;
	for (unsigned i = 0; i < m->n; i++) {
		if (!(mask & bit(i)))
			continue;
		const struct server_state *a = m->server[i].state,
		                          *b = best < m->n ? m->server[best].state : NULL;
		if (!b || a->healthy > b->healthy ||
		        (a->healthy == b->healthy && a->down_until_ms < b->down_until_ms))
			best = i;
	}
	return best;
}

/* With the lock held where there is a limit. */
static enum pick take(struct upstream_members *m, const struct pick_request *r, unsigned index,
        bool is_trial, struct picked *out)
{
	struct upstream_server *s = &m->server[index];
	server_state_ref(s->state);
	atomic_fetch_add(&s->state->active, 1);
	*out = (struct picked){s, index, is_trial, r->spare & bit(index)};
	if (out->has_spare && s->max_connections)
		holder_convert_locked(s->state, r->worker);
	return PICK_SERVER;
}

enum pick upstream_pick_locked(const struct upstream_group *g, struct upstream_members *m,
        const struct pick_request *r, struct picked *out)
{
	struct masks k = look(m, r);
	/* Idle connections to the others bring no backup into use. */
	uint64_t usable = k.usable[0] || k.idle[0] ? k.usable[0] : k.usable[1];
	uint64_t all = k.usable[0] | k.usable[1];
	unsigned index;
	if (r->sticky >= 0 && (unsigned)r->sticky < m->n && all >> r->sticky & 1)
		index = (unsigned)r->sticky;
	else if (usable)
		index = choose(g, m, usable, r);
	else if (k.full)
		return PICK_FULL;
	else if (k.down && !k.on_trial)
		index = least_bad(m, k.down);
	else
		return PICK_NONE;
	struct server_state *s = m->server[index].state;
	bool is_trial = !server_state_is_up(s);
	if (is_trial)
		s->on_trial = true;
	return take(m, r, index, is_trial, out);
}

unsigned upstream_idle_locked(const struct upstream_members *m, const struct pick_request *r)
{
	struct masks k = look(m, r);
	unsigned n = 0;
	for (unsigned i = 0; i < m->n; i++)
		if ((k.idle[0] | k.idle[1]) & bit(i))
			n += m->server[i].state->idle;
	return n;
}

/* One whose connections are all being closed already is passed over. */
void upstream_ask_locked(
        const struct upstream_group *g, struct upstream_members *m, const struct pick_request *r)
{
	struct masks k = look(m, r);
	for (unsigned backup = 0; backup < 2; backup++) {
		for (uint64_t mask = k.idle[backup]; mask;) {
			unsigned index = choose(g, m, mask, r);
			if (holder_ask_locked(m->server[index].state))
				return;
			mask &= ~bit(index);
		}
	}
}

/* Nothing to choose and nothing to count: no lock. */
static bool is_simple(const struct upstream_members *m, const struct pick_request *r)
{
	const struct server_state *s = m->server[0].state;
	return m->has_one_open && !r->tried && server_state_is_up(s) &&
	       atomic_load(&s->group->waiting_n) == 0;
}

enum pick upstream_pick(const struct upstream_group *g, struct upstream_members *m,
        const struct pick_request *r, struct picked *out)
{
	if (is_simple(m, r))
		return take(m, r, 0, false, out);
	struct group_state *shared = m->server[0].state->group;
	pthread_mutex_lock(&shared->lock);
	waiting_serve_locked(shared, r->now_ms);
	enum pick pick = upstream_pick_locked(g, m, r, out);
	pthread_mutex_unlock(&shared->lock);
	return pick;
}

/* The count falls before the look at the queue, and who joins the queue is counted
 * there before the last look at the places: one of the two sees the other. */
void upstream_free_place(struct server_state *s, uint64_t now_ms)
{
	atomic_fetch_sub(&s->active, 1);
	waiting_serve(s->group, now_ms);
}

void upstream_give_back(struct server_state *s, uint64_t now_ms)
{
	upstream_free_place(s, now_ms);
	server_state_unref(s);
}
