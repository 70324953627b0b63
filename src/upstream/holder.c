/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/holder.h"

#include "upstream/spare.h"
#include "upstream/state.h"
#include "upstream/waiting.h"

#include <assert.h>

void holder_init(struct holder *h, struct server_state *state, struct worker *w)
{
	*h = (struct holder){.state = state, .worker = w};
	list_init(&h->node);
	pthread_mutex_lock(&state->group->lock);
	list_append(&state->holders, &h->node);
	pthread_mutex_unlock(&state->group->lock);
}

void holder_fini(struct holder *h)
{
	pthread_mutex_lock(&h->state->group->lock);
	assert(h->held == 0);
	list_remove(&h->node);
	pthread_mutex_unlock(&h->state->group->lock);
}

bool holder_take(struct holder *h, uint32_t max_connections)
{
	struct server_state *s = h->state;
	uint32_t limit = server_state_limit(s, max_connections);
	pthread_mutex_lock(&s->group->lock);
	bool is_free = atomic_load(&s->group->waiting_n) == 0 &&
	               (limit == 0 || atomic_load(&s->active) + s->idle + 1 < limit);
	if (is_free) {
		h->held++;
		s->idle++;
	}
	pthread_mutex_unlock(&s->group->lock);
	return is_free;
}

static void drop_locked(struct holder *h)
{
	assert(h->held > 0 && h->state->idle > 0);
	h->held--;
	h->state->idle--;
	if (h->asked > h->held)
		h->asked = h->held;
}

void holder_give(struct holder *h, uint64_t now_ms)
{
	struct group_state *g = h->state->group;
	pthread_mutex_lock(&g->lock);
	if (h->asked > 0)
		h->asked--;
	drop_locked(h);
	waiting_serve_locked(g, now_ms);
	pthread_mutex_unlock(&g->lock);
}

unsigned holder_asked(struct holder *h)
{
	pthread_mutex_lock(&h->state->group->lock);
	unsigned n = h->asked;
	pthread_mutex_unlock(&h->state->group->lock);
	return n;
}

void holder_convert_locked(struct server_state *s, const struct worker *w)
{
	list_each (it, &s->holders) {
		struct holder *h = list_entry(it, struct holder, node);
		if (h->worker != w || h->held == 0)
			continue;
		drop_locked(h);
		return;
	}
	assert(false);
}

bool holder_ask_locked(struct server_state *s)
{
	list_each (it, &s->holders) {
		struct holder *h = list_entry(it, struct holder, node);
		if (h->held == h->asked || !spares_ask(h->worker))
			continue;
		h->asked++;
		return true;
	}
	return false;
}
