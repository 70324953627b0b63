/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/group.h"

#include "base/mem.h"
#include "net/tls_client.h"
#include "upstream/ring.h"
#include "upstream/sticky.h"
#include "upstream/waiting.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct upstream_group *upstream_group_new(const char *name)
{
	struct upstream_group *g = mem_new(sizeof *g);
	g->name = mem_strdup(name);
	g->is_fixed = true;
	g->tries = 1;
	pthread_mutex_init(&g->lock, NULL);
	atomic_init(&g->refs, 1);
	return g;
}

struct upstream_group *upstream_group_ref(struct upstream_group *g)
{
	atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	return g;
}

void upstream_group_unref(struct upstream_group *g)
{
	if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) > 1)
		return;
	upstream_members_unref(g->members);
	pthread_mutex_destroy(&g->lock);
	sticky_free(g->sticky);
	tls_client_unref(g->tls);
	mem_free(g->source);
	mem_free(g->hash_name);
	mem_free(g->health_path);
	mem_free(g->service);
	mem_free(g->name);
	mem_free(g);
}

void upstream_server_fini(struct upstream_server *s)
{
	server_state_unref(s->state);
	mem_free(s->name);
	mem_free(s->host);
}

static struct server_state *state_of(
        const struct upstream_group *g, const struct upstream_server *s)
{
	char key[512];
	int n = snprintf(key, sizeof key, "%s://%s", s->is_secure ? "wss" : "ws", s->name);
	assert(n > 0 && (size_t)n < sizeof key);
	return server_state_get(g->name, key);
}

struct upstream_members *upstream_members_new(
        const struct upstream_group *g, const struct upstream_server *servers, unsigned n)
{
	assert(n >= 1 && n <= UPSTREAM_SERVERS_MAX);
	struct upstream_members *m = mem_new(sizeof *m);
	atomic_init(&m->refs, 1);
	m->n = n;
	m->is_private = true;
	m->server = mem_new(n * sizeof m->server[0]);
	for (unsigned i = 0; i < n; i++) {
		struct upstream_server *s = &m->server[i];
		*s = servers[i];
		s->state = state_of(g, s);
		if (!s->is_secure && (s->host || !address_is_private(&s->address)))
			m->is_private = false;
	}
	m->has_one_open = n == 1 && servers[0].max_connections == 0;
	if (g->balance == BALANCE_HASH)
		m->ring = ring_new(m->server, n);
	return m;
}

struct upstream_members *upstream_members_ref(struct upstream_members *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void upstream_members_unref(struct upstream_members *m)
{
	if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < m->n; i++)
		upstream_server_fini(&m->server[i]);
	ring_free(m->ring);
	mem_free(m->server);
	mem_free(m);
}

/* What a group of an earlier configuration says does not count any more. */
static void set_limits(const struct upstream_group *g, const struct upstream_members *m)
{
	struct group_state *shared = m->server[0].state->group;
	uint64_t used = atomic_load(&g->used);
	pthread_mutex_lock(&shared->lock);
	bool is_latest = used >= shared->used && used > 0;
	if (is_latest)
		shared->used = used;
	for (unsigned i = 0; is_latest && i < m->n; i++)
		atomic_store(&m->server[i].state->limit, m->server[i].max_connections);
	pthread_mutex_unlock(&shared->lock);
}

void upstream_group_set_members(struct upstream_group *g, struct upstream_members *m)
{
	pthread_mutex_lock(&g->lock);
	struct upstream_members *old = g->members;
	g->members = m;
	/* A reference of ours, for it may be replaced at once. */
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&g->lock);
	upstream_members_unref(old);
	set_limits(g, m);
	upstream_members_unref(m);
}

void upstream_group_use(struct upstream_group *g, uint64_t now_ms)
{
	static _Atomic uint64_t uses;
	atomic_store(&g->used, atomic_fetch_add(&uses, 1) + 1);
	struct upstream_members *m = upstream_group_members(g);
	if (!m)
		return;
	set_limits(g, m);
	waiting_serve(m->server[0].state->group, now_ms);
	upstream_members_unref(m);
}

static void copy_server(struct upstream_server *to, const struct upstream_server *from)
{
	*to = *from;
	to->name = mem_strdup(from->name);
	to->host = from->host ? mem_strdup(from->host) : NULL;
	to->state = NULL;
}

void upstream_group_inherit(struct upstream_group *g, struct upstream_group *from)
{
	struct upstream_server server[UPSTREAM_SERVERS_MAX];
	struct upstream_members *m;
	if (!g->service || !from->service || strcmp(g->service, from->service) != 0)
		return;
	m = upstream_group_members(from);
	if (!m)
		return;
	for (unsigned i = 0; i < m->n; i++) {
		copy_server(&server[i], &m->server[i]);
		server[i].max_connections = g->max_connections;
		server[i].is_secure = g->is_secure;
	}
	upstream_group_set_members(g, upstream_members_new(g, server, m->n));
	atomic_store(&g->members_ms, atomic_load(&from->members_ms));
	upstream_members_unref(m);
}

struct upstream_members *upstream_group_members(struct upstream_group *g)
{
	if (!g->is_fixed)
		pthread_mutex_lock(&g->lock);
	struct upstream_members *m = g->members;
	if (m)
		upstream_members_ref(m);
	if (!g->is_fixed)
		pthread_mutex_unlock(&g->lock);
	return m;
}
