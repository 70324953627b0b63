/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/explain_group.h"

#include "daemon/explain_route.h"
#include "upstream/sticky.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *scheme(bool is_secure)
{
	return is_secure ? "wss" : "ws";
}

static void print_server(FILE *out, const struct upstream_server *s)
{
	fprintf(out, "%s://%s", scheme(s->is_secure), s->name);
	if (s->weight != 1)
		fprintf(out, " weight=%" PRIu32, s->weight);
	if (s->max_connections > 0)
		fprintf(out, " max_connections=%" PRIu32, s->max_connections);
	fputs(s->is_backup ? " backup\n" : "\n", out);
}

static void print_servers(FILE *out, const struct upstream_group *g, struct upstream_members *m)
{
	if (g->service) {
		explain_label(out, "servers");
		fprintf(out, "as listed by the name servers: %s+srv://%s\n", scheme(g->is_secure),
		        g->service);
	}
	for (unsigned i = 0; m && i < m->n; i++) {
		explain_label(out, i == 0 && !g->service ? "servers" : "");
		print_server(out, &m->server[i]);
	}
}

static const char *balance_word(enum upstream_balance b)
{
	static const char *const words[] = {[BALANCE_ROUND_ROBIN] = "round_robin",
	        [BALANCE_LEAST_CONNECTIONS] = "least_connections",
	        [BALANCE_RANDOM_TWO] = "random_two",
	        [BALANCE_HASH] = "hash"};
	return words[b];
}

static void hash_item(struct explain_list *l, const struct upstream_group *g)
{
	static const char *const words[] = {[HASH_CLIENT_ADDRESS] = "client_address",
	        [HASH_HEADER] = "header",
	        [HASH_COOKIE] = "cookie",
	        [HASH_QUERY] = "query",
	        [HASH_URI] = "uri"};
	char key[300];
	snprintf(key, sizeof key, "%s%s%s", words[g->hash], g->hash_name ? " " : "",
	        g->hash_name ? g->hash_name : "");
	explain_item(l, "hash_key", key);
}

static void group_key(struct explain_list *l, const char *name, const uint32_t *field)
{
	explain_key(l, KIND_UPSTREAM, name, field);
}

/* How one of them is chosen, and how long that may take. */
static void print_balance(FILE *out, const struct upstream_group *g)
{
	struct explain_list l = {.out = out, .label = "upstream"};
	explain_item(&l, "balance", balance_word(g->balance));
	if (g->balance == BALANCE_HASH)
		hash_item(&l, g);
	group_key(&l, "tries", &g->tries);
	group_key(&l, "max_fails", &g->max_fails);
	group_key(&l, "fail_timeout", &g->fail_timeout_ms);
	group_key(&l, "slow_start", &g->slow_start_ms);
	if (g->service)
		group_key(&l, "max_connections", &g->max_connections);
	group_key(&l, "queue", &g->queue);
	group_key(&l, "queue_timeout", &g->queue_timeout_ms);
	group_key(&l, "connect_timeout", &g->connect_timeout_ms);
	group_key(&l, "answer_timeout", &g->answer_timeout_ms);
	if (g->proxy_protocol != PROXY_HEADER_OFF)
		explain_item(
		        &l, "proxy_protocol", g->proxy_protocol == PROXY_HEADER_V1 ? "v1" : "v2");
	fputc('\n', out);
}

/* The server that the request's cookie names, if any. */
static void print_sticky(FILE *out, const struct upstream_group *g,
        const struct upstream_members *m, const struct http_head *head)
{
	int i = m ? sticky_find(g->sticky, head, m, time(NULL)) : -1;
	explain_label(out, "sticky");
	fprintf(out, "by the cookie %s; ", sticky_cookie(g->sticky));
	if (i >= 0)
		fprintf(out, "this request's is for %s://%s\n", scheme(m->server[i].is_secure),
		        m->server[i].name);
	else
		fputs("this request has none that counts\n", out);
}

static void print_key(FILE *out, const char *name, const uint32_t *field)
{
	char value[SCHEMA_FORM_MAX];
	if (schema_value(schema_find(KIND_UPSTREAM, name), field, value))
		fprintf(out, ", %s %s", name + strlen("health_"), value);
}

static void print_health(FILE *out, const struct upstream_group *g)
{
	static const char *const kinds[] = {[HEALTH_OFF] = "off",
	        [HEALTH_CONNECT] = "connect",
	        [HEALTH_HANDSHAKE] = "handshake",
	        [HEALTH_PING] = "ping"};
	explain_label(out, "health");
	fputs(kinds[g->health], out);
	if (g->health != HEALTH_OFF) {
		print_key(out, "health_interval", &g->health_interval_ms);
		print_key(out, "health_timeout", &g->health_timeout_ms);
		print_key(out, "health_rise", &g->health_rise);
		print_key(out, "health_fall", &g->health_fall);
		if (g->health != HEALTH_CONNECT)
			fprintf(out, ", path %s", g->health_path);
	}
	fputc('\n', out);
}

static void print_spare(FILE *out, const struct upstream_group *g)
{
	char idle[SCHEMA_FORM_MAX];
	if (!schema_value(schema_find(KIND_UPSTREAM, "spare_idle"), &g->spare_idle_ms, idle))
		return;
	explain_label(out, "spare");
	fprintf(out, "%" PRIu32 " connections ready to each server, for %s each\n", g->spare, idle);
}

void explain_group(FILE *out, struct upstream_group *g, const struct http_head *head)
{
	struct upstream_members *m = upstream_group_members(g);
	print_servers(out, g, m);
	print_balance(out, g);
	if (g->sticky)
		print_sticky(out, g, m, head);
	print_health(out, g);
	if (g->spare)
		print_spare(out, g);
	upstream_members_unref(m);
}
