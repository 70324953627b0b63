/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/spare.h"

#include "base/mem.h"
#include "upstream/balance.h"
#include "upstream/group.h"
#include "upstream/spare_server.h"
#include "upstream/srv.h"

#include <assert.h>
#include <stdatomic.h>

enum {
	SLOTS = 64,     /* of groups, by their address */
	LOOK_MS = 1000, /* between two looks at which servers are up */
};

struct spares {
	struct worker *worker;
	atomic_bool is_asked; /* close_asked() is on its way */
	struct list slot[SLOTS];
};

/* A group whose servers get spares. */
struct kept {
	struct spare_group group;
	struct srv srv;
	uint64_t look_ms; /* the next look at the members of a service */
	bool is_stale;    /* to be left, in spares_follow() */
	struct retired retired;
};

static struct kept *kept_of(struct list *node)
{
	return list_entry(node, struct kept, group.node);
}

static struct upstream_worker *shared(const struct worker *w)
{
	return w->layer[WORKER_UPSTREAM];
}

/* ---- the servers of a group ---- */

static struct spare_server *find_server(
        const struct spare_group *x, const struct server_state *state)
{
	list_each (it, &x->servers) {
		struct spare_server *s = list_entry(it, struct spare_server, node);
		if (s->state == state)
			return s;
	}
	return NULL;
}

/* Those that are no members any more go; what is being made holds on to no member. */
static void follow_members(struct spare_group *x)
{
	struct upstream_members *m = upstream_group_members(x->group);
	if (m == x->members) {
		upstream_members_unref(m);
		return;
	}
	list_each (it, &x->servers)
		list_entry(it, struct spare_server, node)->server = NULL;
	for (unsigned i = 0; i < m->n; i++) {
		struct spare_server *s = find_server(x, m->server[i].state);
		if (!s)
			s = spare_server_new(x, &m->server[i]);
		s->server = &m->server[i];
	}
	for (struct list *after, *it = x->servers.next; it != &x->servers; it = after) {
		struct spare_server *s = list_entry(it, struct spare_server, node);
		after = it->next;
		if (!s->server)
			spare_server_end(s);
	}
	upstream_members_unref(x->members);
	x->members = m;
}

static void on_listed(struct srv *srv, const char *error)
{
	(void)error; /* then the members stay as they are */
	spare_look_soon(&list_entry(srv, struct kept, srv)->group);
}

/* Asking costs a question only when the last answer's time is over. */
static void look_up(struct kept *k)
{
	struct spare_group *x = &k->group;
	if (!x->group->service || k->srv.resolving || x->worker->now_ms < k->look_ms)
		return;
	k->look_ms = x->worker->now_ms + LOOK_MS;
	srv_start(&k->srv, x->worker, x->group, on_listed);
}

static void upkeep(struct kept *k)
{
	struct spare_group *x = &k->group;
	uint64_t next = x->worker->now_ms + LOOK_MS;
	look_up(k);
	follow_members(x);
	list_each (it, &x->servers)
		spare_server_upkeep(list_entry(it, struct spare_server, node), &next);
	/* What was begun and failed at once asked for a look of its own. */
	if (!timer_is_set(&x->timer) || x->timer.deadline_ms > next)
		worker_timer(x->worker, &x->timer, next);
}

static void on_time(struct timer *t)
{
	upkeep(list_entry(t, struct kept, group.timer));
}

/* ---- the groups ---- */

static struct list *slot_of(struct spares *s, const struct upstream_group *g)
{
	return &s->slot[(uintptr_t)g / sizeof *g % SLOTS];
}

static struct spare_group *find_group(const struct worker *w, const struct upstream_group *g)
{
	struct list *slot = slot_of(shared(w)->spares, g);
	list_each (it, slot) {
		struct spare_group *x = list_entry(it, struct spare_group, node);
		if (x->group == g)
			return x;
	}
	return NULL;
}

/* Each worker has at least one, or its sessions would gain nothing. */
static uint32_t part_of(uint32_t spare, unsigned index, unsigned workers)
{
	uint32_t part = spare / workers + (index < spare % workers);
	return part ? part : 1;
}

static void group_begin(struct spares *s, struct upstream_group *g)
{
	struct kept *k = mem_new(sizeof *k);
	struct spare_group *x = &k->group;
	x->worker = s->worker;
	x->group = upstream_group_ref(g);
	list_init(&x->servers);
	list_append(slot_of(s, g), &x->node);
	timer_init(&x->timer, on_time);
	spare_look_soon(x);
}

static void free_group(struct retired *r)
{
	mem_free(list_entry(r, struct kept, retired));
}

static void group_end(struct kept *k)
{
	struct spare_group *x = &k->group;
	srv_cancel(&k->srv);
	while (!list_is_empty(&x->servers))
		spare_server_end(list_entry(x->servers.next, struct spare_server, node));
	timer_clear(&x->worker->wheel, &x->timer);
	list_remove(&x->node);
	upstream_members_unref(x->members);
	upstream_group_unref(x->group);
	worker_retire(x->worker, &k->retired, free_group);
}

static void end_stale(struct spares *s)
{
	for (unsigned i = 0; i < SLOTS; i++)
		for (struct list *after, *it = s->slot[i].next; it != &s->slot[i]; it = after) {
			after = it->next;
			if (kept_of(it)->is_stale)
				group_end(kept_of(it));
		}
}

static void mark(struct spares *s, struct upstream_group *const *group, size_t n)
{
	for (unsigned i = 0; i < SLOTS; i++)
		list_each (it, &s->slot[i])
			kept_of(it)->is_stale = true;
	for (size_t i = 0; i < n; i++) {
		struct spare_group *x = find_group(s->worker, group[i]);
		if (x)
			list_entry(x, struct kept, group)->is_stale = false;
	}
}

/* The old ones end before the new ones begin: they may be of the same servers. */
void spares_follow(
        struct worker *w, struct upstream_group *const *group, size_t n, unsigned workers)
{
	struct spares *s = shared(w)->spares;
	mark(s, group, n);
	end_stale(s);
	for (size_t i = 0; i < n; i++) {
		if (group[i]->spare == 0)
			continue;
		if (!find_group(w, group[i]))
			group_begin(s, group[i]);
		find_group(w, group[i])->want = part_of(group[i]->spare, w->index, workers);
	}
}

void spares_stop(struct worker *w)
{
	spares_follow(w, NULL, 0, 1);
}

struct spares *spares_new(struct worker *w)
{
	struct spares *s = mem_new(sizeof *s);
	s->worker = w;
	for (unsigned i = 0; i < SLOTS; i++)
		list_init(&s->slot[i]);
	return s;
}

void spares_free(struct spares *s)
{
	for (unsigned i = 0; i < SLOTS; i++)
		assert(list_is_empty(&s->slot[i]));
	mem_free(s);
}

/* ---- using them ---- */

uint64_t spares_of(
        const struct worker *w, const struct upstream_group *g, const struct upstream_members *m)
{
	const struct spare_group *x = g->spare ? find_group(w, g) : NULL;
	const struct list *next = x ? x->servers.next : NULL; /* mostly they are in this order */
	uint64_t mask = 0;
	for (unsigned i = 0; x && i < m->n; i++) {
		const struct server_state *state = m->server[i].state;
		const struct spare_server *s = NULL;
		if (next != &x->servers)
			s = list_entry((uintptr_t)next, struct spare_server, node);
		if (!s || s->state != state)
			s = find_server(x, state);
		if (s && s->ready_n > 0)
			mask |= UINT64_C(1) << i;
		next = s ? s->node.next : next;
	}
	return mask;
}

static enum dial_start begin_setup(struct dial *d, enum dial_start start)
{
	d->is_setup = true;
	spare_pace_setup(&shared(d->worker)->pace);
	return start;
}

enum dial_start spare_dial_start(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct picked *p, dial_fn fn)
{
	struct spare_group *group = g->spare ? find_group(w, g) : NULL;
	struct spare_server *x = group ? find_server(group, p->server->state) : NULL;
	if (x)
		spare_look_soon(group);
	if (x && spare_server_dial(x, d, p->server, p->has_spare, fn))
		return begin_setup(d, DIAL_READY);
	return spare_dial_fresh(d, w, g, p, fn);
}

enum dial_start spare_dial_fresh(struct dial *d, struct worker *w, const struct upstream_group *g,
        const struct picked *p, dial_fn fn)
{
	return begin_setup(d, dial_start(d, w, g, p->server, fn));
}

static void close_asked(struct worker *w, void *arg)
{
	struct spares *s = shared(w)->spares;
	(void)arg;
	atomic_store(&s->is_asked, false);
	for (unsigned i = 0; i < SLOTS; i++)
		list_each (it, &s->slot[i])
			list_each (at, &kept_of(it)->group.servers)
				spare_server_close_asked(list_entry(at, struct spare_server, node));
}

bool spares_ask(struct worker *w)
{
	struct spares *s = shared(w)->spares;
	if (atomic_exchange(&s->is_asked, true) || worker_post(w, close_asked, NULL))
		return true;
	atomic_store(&s->is_asked, false);
	return false;
}
