/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/loop.h"

#include "base/mem.h"
#include "config/build.h"
#include "config/draft.h"
#include "config/loop_walk.h"
#include "config/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOWHERE = -1 };

/* Connecting to 0.0.0.0 or [::] ends at the host itself. */
static struct address destination(const struct address *server)
{
	struct address a = {.len = 0};
	uint16_t port = address_port(server);
	if (!place_is_any(server))
		return *server;
	bool ok = address_parse(&a, server->sa.sa_family == AF_INET ? "127.0.0.1:1" : "[::1]:1");
	if (ok)
		address_set_port(&a, port);
	return a;
}

/* Whether a connection to `to` may be accepted by a socket bound to `bind`. */
static bool reaches(const struct draft *d, const struct address *to, const struct address *bind)
{
	if (bind->len == 0)
		return false;
	if (address_equal(to, bind))
		return true;
	if (to->len == 0 || !place_is_any(bind) || !place_overlaps(to, bind))
		return false;
	return place_is_loopback(to) || (!d->is_memory && place_is_ours(to));
}

static int listener_at(const struct draft *d, const struct address *server)
{
	struct address to = destination(server);
	for (size_t i = 0; i < d->config->bind_n; i++)
		if (reaches(d, &to, &d->config->bind[i].settings.address))
			return (int)d->config->bind[i].listener->number;
	return NOWHERE;
}

static int listener_of(const struct draft *d, const struct upstream_server *s)
{
	static const char *const local[] = {"127.0.0.1:1", "[::1]:1"};
	if (!s->host)
		return listener_at(d, &s->address);
	if (strcmp(s->host, "localhost") != 0)
		return NOWHERE;
	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
		struct address a;
		if (!address_parse(&a, local[i]))
			continue;
		address_set_port(&a, s->port);
		int number = listener_at(d, &a);
		if (number != NOWHERE)
			return number;
	}
	return NOWHERE;
}

static uint64_t find_listeners(struct draft *d)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < d->upstream_n; i++) {
		struct draft_upstream *u = &d->upstream[i];
		for (size_t k = 0; k < u->server_n; k++) {
			int number = u->group->members
			                     ? listener_of(d, &u->group->members->server[k])
			                     : NOWHERE;
			u->server[k].listener = number;
			if (number != NOWHERE)
				bits |= UINT64_C(1) << number;
		}
	}
	return bits;
}

/* ---- the requests that are tried ----
 *
 * A request that goes round is always routed by routes that lead to listeners of ours.
 * Of these, one has the most specific host of those that matched, and one the most
 * specific path; a request for just this host and path goes the same way. So it is
 * enough to try each such host with each such path and with what such a route
 * demands of headers and query. Where routes change the request, it is tried with what
 * each of them changes. */

enum { TRIES_MAX = 20000 }; /* beyond, each route's own host, path and conditions only */

static char *joined(const char *a, const char *b)
{
	size_t len = strlen(a), more = strlen(b);
	char *out = mem_new(len + more + 1);
	memcpy(out, a, len);
	memcpy(out + len, b, more);
	return out;
}

/* A path that the route matches and no longer one does: no route can hold the byte 1.
 * Then the path that it replaces a part of, and one below. NULL: that was all. */
static char *sample_path(const struct route *r, unsigned i)
{
	const char *path = r->path[0] ? r->path : "/", *from = r->headers.from;
	if (i == 0)
		return joined(path, r->prefix ? "\1" : "");
	if (!from || i > 2)
		return NULL;
	size_t len = strlen(from);
	return joined(from, i == 1 ? "" : from[len - 1] == '/' ? "\1" : "/\1");
}

/* In the same way, a name below the domain that no other route names. */
static char *sample_host(const struct route *r, size_t i)
{
	char *out;
	if (i >= r->host_n)
		return mem_strdup("\1");
	out = mem_strdup(r->host[i]);
	if (out[0] == '*')
		out[0] = 1;
	return out;
}

static void print_encoded(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
}

/* The conditions as header lines and as a query; the caller frees both. */
static void sample_conditions(const struct route *r, char **lines, char **query)
{
	size_t len;
	FILE *header = open_memstream(lines, &len), *arguments = open_memstream(query, &len);
	if (!header || !arguments)
		abort();
	for (size_t i = 0; i < r->condition_n; i++) {
		const struct condition *c = &r->condition[i];
		if (c->kind == CONDITION_HEADER) {
			fprintf(header, "%s: %s\r\n", c->name, c->value);
			continue;
		}
		if (c->kind != CONDITION_QUERY)
			continue; /* no request of ours shows a certificate */
		print_encoded(arguments, c->name);
		fputc('=', arguments);
		print_encoded(arguments, c->value);
		fputc('&', arguments);
	}
	fclose(header);
	fclose(arguments);
}

static void try_paths(struct loop_walk *w, uint64_t starts, const char *host, const struct route *r)
{
	char *path;
	for (unsigned i = 0; (path = sample_path(r, i)); i++) {
		for (int l = 0; l < 64; l++)
			if (starts >> l & 1)
				loop_walk_from(w, l, host, path);
		mem_free(path);
	}
}

static void try_hosts(struct draft *d, uint64_t starts, const struct route *host,
        const struct route *path, const struct route *conditions)
{
	size_t n = host->host_n > 0 ? host->host_n : 1;
	char *lines, *query;
	sample_conditions(conditions, &lines, &query);
	struct loop_walk *w = loop_walk_new(d, query, lines);
	for (size_t i = 0; i < n; i++) {
		char *name = sample_host(host, i);
		try_paths(w, starts, name, path);
		mem_free(name);
	}
	loop_walk_free(w);
	free(lines);
	free(query);
}

static bool leads_to_us(struct draft *d, const struct route *r)
{
	const struct draft_upstream *u = r->group ? build_find_upstream(d, r->group->name) : NULL;
	for (size_t i = 0; u && i < u->server_n; i++)
		if (u->server[i].listener != NOWHERE)
			return true;
	return false;
}

static void try_all(struct draft *d, uint64_t starts, struct route *const *r, size_t n)
{
	bool every = n * n * n <= TRIES_MAX;
	for (size_t i = 0; i < n; i++) {
		if (!every)
			try_hosts(d, starts, r[i], r[i], r[i]);
		for (size_t k = 0; every && k < n; k++)
			for (size_t c = 0; c < n; c++)
				try_hosts(d, starts, r[i], r[k], r[c]);
	}
}

void loop_check(struct draft *d)
{
	uint64_t starts = find_listeners(d);
	if (starts == 0)
		return;
	struct route **ours = mem_new(d->route_n * sizeof(struct route *));
	size_t n = 0;
	for (size_t i = 0; i < d->route_n; i++)
		if (leads_to_us(d, d->route[i].route))
			ours[n++] = d->route[i].route;
	try_all(d, starts, ours, n);
	mem_free(ours);
}
