/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_upstream.h"

#include "base/mem.h"
#include "config/build_sticky.h"
#include "config/build_tls.h"
#include "config/draft.h"

#include <string.h>

/* Keys that would do nothing are mistakes. */
static void check_idle(
        struct draft *d, const struct draft_upstream *u, const char *key, const char *want)
{
	const struct reader_entry *e = reader_find(u->section, key);
	if (e && strcmp(e->value, "off") != 0)
		draft_error(d, u->section, e, "does nothing: want %s too", want);
}

static bool has_limit(const struct draft_upstream *u)
{
	for (size_t i = 0; i < u->server_n; i++)
		if (u->server[i].server.max_connections)
			return true;
	return u->max_connections != 0;
}

/* The only place of a server is never a spare connection's. */
static void check_spare(struct draft *d, const struct draft_upstream *u)
{
	bool has_room = u->server_n == 0 || !draft_is_whole(u->section);
	for (size_t i = 0; i < u->server_n; i++) {
		uint32_t limit = u->server[i].server.max_connections;
		has_room = has_room || (limit ? limit : u->max_connections) != 1;
	}
	if (!has_room)
		check_idle(d, u, "spare", "max_connections = 2 or more");
	if (!reader_find(u->section, "spare"))
		check_idle(d, u, "spare_idle", "spare");
}

/* A default that is only written down does no harm. */
static void check_health(struct draft *d, const struct draft_upstream *u)
{
	static const char *const keys[] = {
	        "health_interval", "health_timeout", "health_rise", "health_fall"};
	bool is_off = u->health == HEALTH_OFF && !reader_find(u->section, "health");
	for (size_t i = 0; is_off && i < sizeof keys / sizeof keys[0]; i++)
		check_idle(d, u, keys[i], "health = connect, handshake or ping");
	if (is_off || u->health == HEALTH_CONNECT)
		check_idle(d, u, "health_path", "health = handshake or ping");
}

static void check_keys(struct draft *d, const struct draft_upstream *u)
{
	const struct reader_section *s = u->section;
	if (u->balance != BALANCE_HASH && u->hash_key.source != HASH_CLIENT_ADDRESS &&
	        !draft_is_refused(s, "balance"))
		check_idle(d, u, "hash_key", "balance = hash");
	if (!has_limit(u) && draft_is_whole(s) && !draft_is_refused(s, "max_connections") &&
	        !draft_is_refused(s, "server"))
		check_idle(d, u, "queue", "max_connections");
	if (u->queue == 0 && !draft_is_refused(s, "queue"))
		check_idle(d, u, "queue_timeout", "queue");
	check_spare(d, u);
	check_health(d, u);
	if (u->max_fails == 0)
		check_idle(d, u, "fail_timeout", "max_fails");
}

static void check_repeated(struct draft *d, const struct draft_upstream *u)
{
	for (size_t i = 1; i < u->server_n; i++) {
		const struct draft_server *s = &u->server[i];
		for (size_t k = 0; k < i; k++) {
			const struct draft_server *first = &u->server[k];
			if (strcmp(s->server.name, first->server.name) != 0)
				continue;
			draft_error(d, u->section, s->entry,
			        "given before, at line %u: want weight=N for more sessions",
			        first->entry->line);
			break;
		}
	}
}

/* The members of a service are what the name servers say. */
static bool is_service(const struct draft_upstream *u)
{
	return u->server_n > 0 && u->server[0].is_service;
}

static void check_service(struct draft *d, const struct draft_upstream *u)
{
	for (size_t i = 0; i < u->server_n && u->server_n > 1; i++)
		if (u->server[i].is_service)
			draft_error(d, u->section, u->server[i].entry,
			        "want no other server beside a service: it lists them all");
}

/* False when there are none, or too many. */
static bool check_servers(struct draft *d, const struct draft_upstream *u)
{
	size_t backups = 0;
	for (size_t i = 0; i < u->server_n; i++)
		backups += u->server[i].server.is_backup;
	if (u->server_n > UPSTREAM_SERVERS_MAX) {
		draft_error(d, u->section, u->server[UPSTREAM_SERVERS_MAX].entry,
		        "%zu servers: want at most %d", u->server_n, UPSTREAM_SERVERS_MAX);
		return false;
	}
	check_repeated(d, u);
	check_service(d, u);
	if (u->server_n > 0 && backups == u->server_n && draft_is_whole(u->section))
		draft_error(d, u->section, u->server[0].entry,
		        "all servers are backups: want one that is not");
	return u->server_n > 0;
}

static void set_members(struct draft_upstream *u)
{
	struct upstream_server servers[UPSTREAM_SERVERS_MAX];
	for (size_t i = 0; i < u->server_n; i++) {
		struct upstream_server *s = &u->server[i].server;
		if (s->weight == 0)
			s->weight = 1;
		if (s->max_connections == 0)
			s->max_connections = u->max_connections;
		servers[i] = *s;
		*s = (struct upstream_server){.name = NULL};
	}
	upstream_group_set_members(
	        u->group, upstream_members_new(u->group, servers, (unsigned)u->server_n));
}

static void set_service(struct draft_upstream *u)
{
	struct upstream_server *s = &u->server[0].server;
	u->group->service = s->host;
	u->group->max_connections = s->max_connections ? s->max_connections : u->max_connections;
	u->group->is_fixed = false;
	u->group->is_secure = s->is_secure;
	s->host = NULL;
}

void build_upstream(struct draft *d, struct draft_upstream *u)
{
	struct upstream_group *g = u->group = upstream_group_new(u->section->name);
	g->balance = u->balance;
	g->hash = u->hash_key.source;
	g->hash_name = u->hash_key.name;
	u->hash_key.name = NULL;
	g->queue = u->queue;
	g->queue_timeout_ms = u->queue_timeout_ms;
	g->tries = u->tries;
	g->max_fails = u->max_fails;
	g->fail_timeout_ms = u->fail_timeout_ms;
	g->slow_start_ms = u->slow_start_ms;
	g->source = u->source;
	g->source_n = u->source_n;
	u->source = NULL;
	g->connect_timeout_ms = u->connect_timeout_ms;
	g->answer_timeout_ms = u->answer_timeout_ms;
	g->spare = u->spare;
	g->spare_idle_ms = u->spare_idle_ms;
	g->proxy_protocol = u->proxy_protocol;
	g->health = u->health;
	g->health_interval_ms = u->health_interval_ms;
	g->health_timeout_ms = u->health_timeout_ms;
	g->health_rise = u->health_rise;
	g->health_fall = u->health_fall;
	g->health_path = u->health_path;
	u->health_path = NULL;
	g->socket = u->socket;
	check_keys(d, u);
	build_sticky(d, u);
	if (!check_servers(d, u))
		return;
	build_upstream_tls(d, u);
	if (is_service(u))
		set_service(u);
	else
		set_members(u);
}
