/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/srv.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/names.h"
#include "net/resolver.h"
#include "net/worker.h"
#include "upstream/dial.h"
#include "upstream/group.h"

#include <stdio.h>

enum { TTL_MAX_MS = 3600 * 1000, KEEP_MS = TTL_MAX_MS + NAME_KEEP_MS };

/* SRV weights reach to 65535; ours do not. One of 0 is the least there is. */
static uint32_t weight_of(uint32_t weight, uint32_t most)
{
	if (most > UPSTREAM_WEIGHT_MAX)
		weight = weight * UPSTREAM_WEIGHT_MAX / most;
	return weight > 0 ? weight : 1;
}

static bool is_listed(const struct upstream_server *list, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return true;
	return false;
}

static bool make_server(struct upstream_server *out, const struct upstream_group *g,
        const struct dns_target *t, const struct upstream_server *before, unsigned n)
{
	char name[DNS_NAME_MAX + 8];

	if (t->host[0] == '\0')
		return false;
	snprintf(name, sizeof name, "%s:%u", t->host, t->port);
	if (is_listed(before, n, name))
		return false;
	*out = (struct upstream_server){.name = mem_strdup(name),
	        .host = mem_strdup(t->host),
	        .port = t->port,
	        .is_secure = g->is_secure,
	        .max_connections = g->max_connections};
	return true;
}

/* Targets come by priority, the lowest first. */
static unsigned make_servers(struct upstream_server out[UPSTREAM_SERVERS_MAX],
        const struct upstream_group *g, const struct dns_target *const *target, size_t count)
{
	uint32_t most = 0;
	unsigned n = 0;

	for (size_t i = 0; i < count; i++)
		most = target[i]->weight > most ? target[i]->weight : most;
	for (size_t i = 0; i < count && n < UPSTREAM_SERVERS_MAX; i++) {
		if (!make_server(&out[n], g, target[i], out, n))
			continue;
		out[n].weight = weight_of(target[i]->weight, most);
		out[n].is_backup = target[i]->priority != target[0]->priority;
		n++;
	}
	return n;
}

static const struct upstream_server *find(const struct upstream_members *m, const char *name)
{
	for (unsigned i = 0; i < m->n; i++)
		if (strcmp(m->server[i].name, name) == 0)
			return &m->server[i];
	return NULL;
}

/* In whatever order. */
static bool are_same(
        const struct upstream_members *m, const struct upstream_server *server, unsigned n)
{
	if (m->n != n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct upstream_server *s = find(m, server[i].name);
		if (!s || s->weight != server[i].weight || s->is_backup != server[i].is_backup)
			return false;
	}
	return true;
}

static void log_members(const struct upstream_group *g, unsigned n)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "servers");
	log_text(&l, "upstream", g->name);
	log_text(&l, "service", g->service);
	log_unum(&l, "servers", n);
	log_end(&l);
}

/* Two workers may be here at once; the later answer wins in the end, because it will be
 * followed again by the next session of whoever had it. */
bool srv_follow(struct upstream_group *g, const struct dns_target *const *target, size_t n,
        uint64_t learnt_ms)
{
	struct upstream_server server[UPSTREAM_SERVERS_MAX];
	struct upstream_members *now = upstream_group_members(g);
	bool is_news = !now || learnt_ms > atomic_load(&g->members_ms);
	unsigned count = is_news ? make_servers(server, g, target, n) : 0;

	if (count > 0 && (!now || !are_same(now, server, count))) {
		atomic_store(&g->members_ms, learnt_ms);
		upstream_group_set_members(g, upstream_members_new(g, server, count));
		log_members(g, count);
	} else {
		if (count > 0)
			atomic_store(&g->members_ms, learnt_ms);
		for (unsigned i = 0; i < count; i++)
			upstream_server_fini(&server[i]);
	}
	upstream_members_unref(now);
	bool is_given_up = n == 0 && learnt_ms > 0 && learnt_ms >= atomic_load(&g->members_ms);
	return count > 0 || (now && !is_given_up);
}

static void on_targets(void *owner, const struct dns_target *const *found, size_t n,
        uint64_t learnt_ms, const char *error)
{
	struct srv *s = owner;

	s->resolving = NULL;
	/* What another worker found is as good, but not for longer. */
	bool is_old = n == 0 && s->worker->now_ms > atomic_load(&s->group->members_ms) + KEEP_MS;
	if (srv_follow(s->group, found, n, learnt_ms) && !is_old)
		error = NULL;
	else if (!error)
		error = "the service is not offered";
	s->fn(s, error);
}

bool srv_start(struct srv *s, struct worker *w, struct upstream_group *g, srv_fn fn)
{
	struct upstream_worker *u = w->layer[WORKER_UPSTREAM];

	*s = (struct srv){.worker = w, .group = g, .fn = fn};
	s->resolving = resolver_start_service(u->resolver, g->service, on_targets, s);
	return s->resolving != NULL;
}

void srv_cancel(struct srv *s)
{
	if (s->resolving)
		resolver_cancel(s->resolving);
	s->resolving = NULL;
}
