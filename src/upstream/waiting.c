/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/waiting.h"

#include "net/worker.h"
#include "upstream/dial.h"

#include <assert.h>

static struct mailbox *mailbox_of(const struct worker *w)
{
	return &((struct upstream_worker *)w->layer[WORKER_UPSTREAM])->mailbox;
}

void mailbox_init(struct mailbox *m)
{
	pthread_mutex_init(&m->lock, NULL);
	list_init(&m->given);
	m->is_posted = false;
}

void mailbox_fini(struct mailbox *m)
{
	assert(list_is_empty(&m->given));
	pthread_mutex_destroy(&m->lock);
}

static struct waiting *take_first(struct mailbox *m)
{
	struct waiting *first = NULL;
	pthread_mutex_lock(&m->lock);
	if (list_is_empty(&m->given)) {
		m->is_posted = false;
	} else {
		first = list_entry(m->given.next, struct waiting, node);
		list_remove(&first->node);
		first->is_on = false;
	}
	pthread_mutex_unlock(&m->lock);
	return first;
}

static void tell(struct worker *w, void *arg)
{
	(void)arg;
	for (struct waiting *first; (first = take_first(mailbox_of(w)));)
		first->fn(first);
}

/* If there is no memory to post, the next place that is given tries again, and
 * meanwhile the waiter's deadline stands. */
static void give(struct waiting *w)
{
	struct mailbox *m = mailbox_of(w->worker);
	pthread_mutex_lock(&m->lock);
	list_append(&m->given, &w->node);
	w->is_given = true;
	if (!m->is_posted)
		m->is_posted = worker_post(w->worker, tell, NULL);
	pthread_mutex_unlock(&m->lock);
}

static void part(struct group_state *g, struct waiting *w)
{
	list_remove(&w->node);
	atomic_fetch_sub(&g->waiting_n, 1);
}

void waiting_serve_locked(struct group_state *g, uint64_t now_ms)
{
	const struct upstream_members *full = NULL;
	for (struct list *next, *it = g->waiting.next; it != &g->waiting; it = next) {
		struct waiting *w = list_entry(it, struct waiting, node);
		next = it->next;
		if (w->members == full)
			continue;
		w->request.now_ms = now_ms;
		if (upstream_pick_locked(w->group, w->members, &w->request, &w->picked) ==
		        PICK_SERVER) {
			part(g, w);
			give(w);
		} else if (w->request.tried == 0) {
			/* What it cannot use, nobody can who has the same to choose from. */
			if (!g->is_mixed)
				break;
			full = w->members;
		}
	}
}

void waiting_serve(struct group_state *g, uint64_t now_ms)
{
	if (atomic_load(&g->waiting_n) == 0)
		return;
	pthread_mutex_lock(&g->lock);
	waiting_serve_locked(g, now_ms);
	pthread_mutex_unlock(&g->lock);
}

static void join(struct group_state *g, struct waiting *w)
{
	struct list *after = g->waiting.prev;
	if (list_is_empty(&g->waiting))
		g->is_mixed = false;
	else
		g->is_mixed |= list_entry(after, struct waiting, node)->members != w->members;
	if (w->ticket == 0)
		w->ticket = ++g->tickets;
	while (after != &g->waiting && list_entry(after, struct waiting, node)->ticket > w->ticket)
		after = after->prev;
	list_append(after->next, &w->node); /* in front of the next */
	atomic_fetch_add(&g->waiting_n, 1);
}

bool waiting_start(struct waiting *w, struct worker *worker, const struct upstream_group *g,
        struct upstream_members *m, const struct pick_request *r, waiting_fn fn)
{
	struct group_state *shared = m->server[0].state->group;
	*w = (struct waiting){.group = g,
	        .members = m,
	        .request = *r,
	        .worker = worker,
	        .fn = fn,
	        .ticket = w->ticket};
	w->request.spare = 0; /* what the worker has then is not known now */
	list_init(&w->node);
	pthread_mutex_lock(&shared->lock);
	join(shared, w);
	waiting_serve_locked(shared, r->now_ms);
	w->is_on = w->is_given || atomic_load(&shared->waiting_n) <=
	                                  g->queue + upstream_idle_locked(m, &w->request);
	if (!w->is_on)
		part(shared, w);
	else if (!w->is_given)
		upstream_ask_locked(g, m, &w->request);
	pthread_mutex_unlock(&shared->lock);
	return w->is_on;
}

void waiting_cancel(struct waiting *w, uint64_t now_ms)
{
	if (!w->is_on)
		return;
	struct group_state *shared = w->members->server[0].state->group;
	w->is_on = false;
	pthread_mutex_lock(&shared->lock);
	bool is_given = w->is_given;
	if (!is_given)
		part(shared, w);
	pthread_mutex_unlock(&shared->lock);
	if (!is_given)
		return;
	struct mailbox *m = mailbox_of(w->worker);
	pthread_mutex_lock(&m->lock);
	list_remove(&w->node);
	pthread_mutex_unlock(&m->lock);
	if (w->picked.is_trial)
		server_state_abandon(w->picked.server->state);
	upstream_give_back(w->picked.server->state, now_ms);
}
