/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/loop.h"

#include "base/mem.h"
#include "config/build.h"
#include "config/draft.h"
#include "config/place.h"
#include "http/head.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Where host or path change, it is another request that goes on. */
static bool goes_on_as_it_is(const struct route *r)
{
	return !r->headers.from && !r->headers.host && !r->headers.host_is_server;
}

/* The upstream that a request at the listener goes to, as it is; or NULL. */
static struct draft_upstream *upstream_at(
        struct draft *d, int listener, const struct route_query *request, struct route **by)
{
	struct route_query q = *request;
	q.listener = (unsigned)listener;
	*by = route_find(d->config->routes, &q);
	return *by && (*by)->group && goes_on_as_it_is(*by)
	               ? build_find_upstream(d, (*by)->group->name)
	               : NULL;
}

/* The listeners of ours where the request may arrive next: a bit each. */
static uint64_t next(struct draft *d, int listener, const struct route_query *request)
{
	struct route *by;
	const struct draft_upstream *u = upstream_at(d, listener, request, &by);
	uint64_t bits = 0;
	for (size_t i = 0; u && i < u->server_n; i++)
		if (u->server[i].listener != NOWHERE)
			bits |= UINT64_C(1) << u->server[i].listener;
	return bits;
}

/* All those that it may ever arrive at from there. */
static uint64_t reach(struct draft *d, int listener, const struct route_query *request)
{
	uint64_t seen = 0, todo = next(d, listener, request);
	while (todo) {
		int l = __builtin_ctzll(todo);
		seen |= UINT64_C(1) << l;
		todo |= next(d, l, request);
		todo &= ~seen;
	}
	return seen;
}

static const char *name_of(const struct draft *d, unsigned listener)
{
	size_t i = 0;
	while (d->listener[i].number != listener)
		i++;
	return d->listener[i].section->name;
}

static void tell(struct draft *d, const struct draft_upstream *u, struct draft_server *s,
        const struct route *by)
{
	if (!s->is_loop_told)
		draft_error(d, u->section, s->entry,
		        "a loop: this is [listener %s], whose requests come back here by [route "
		        "%s]",
		        name_of(d, (unsigned)s->listener), by->name);
	s->is_loop_told = true;
}

/* Goes where a request would go from each listener that is a server: the
 * way back to where it was is a loop. */
static void follow(struct draft *d, uint64_t starts, const struct route_query *request)
{
	uint64_t from[64] = {0};
	for (int l = 0; l < 64; l++)
		if (starts >> l & 1)
			from[l] = reach(d, l, request);
	for (int l = 0; l < 64; l++) {
		struct route *by;
		struct draft_upstream *u = starts >> l & 1 ? upstream_at(d, l, request, &by) : NULL;
		for (size_t i = 0; u && i < u->server_n; i++) {
			int to = u->server[i].listener;
			if (to != NOWHERE && (to == l || from[to] >> l & 1))
				tell(d, u, &u->server[i], by);
		}
	}
}

/* ---- the requests that are tried ----
 *
 * A request that goes round is always routed by routes that lead to listeners of ours.
 * Of these, one has the most specific host of those that matched, and one the most
 * specific path; a request for just this host and path goes the same way. So it is
 * enough to try each such host with each such path and with what such a route
 * demands of headers and query. */

enum { TRIES_MAX = 20000 }; /* beyond, each route's own host, path and conditions only */

struct sample {
	char *host, *path;
	char *query;
	struct http_head head;
};

/* A path that the route matches and no longer one does: no route can hold the
 * byte 1. */
static char *sample_path(const struct route *r)
{
	const char *path = r->path[0] ? r->path : "/";
	size_t len = strlen(path);
	char *out = mem_new(len + 2);
	memcpy(out, path, len);
	if (r->prefix)
		out[len] = 1;
	return out;
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

static void sample_conditions(struct sample *s, const struct route *r)
{
	size_t len;
	FILE *out = open_memstream(&s->query, &len);
	if (!out)
		abort();
	for (size_t i = 0; i < r->condition_n; i++) {
		const struct condition *c = &r->condition[i];
		if (c->kind == CONDITION_HEADER) {
			s->head.field[s->head.n++] = (struct http_field){
			        .name = slice_str(c->name), .value = slice_str(c->value)};
			continue;
		}
		print_encoded(out, c->name);
		fputc('=', out);
		print_encoded(out, c->value);
		fputc('&', out);
	}
	fclose(out);
	s->head.query = slice_of(s->query, len);
}

static void try_one(struct draft *d, uint64_t starts, const struct route *host, size_t host_i,
        const struct route *path, const struct route *conditions)
{
	struct sample *s = mem_new(sizeof *s);
	s->host = sample_host(host, host_i);
	s->path = sample_path(path);
	sample_conditions(s, conditions);
	struct route_query q = {
	        .host = slice_str(s->host), .path = slice_str(s->path), .head = &s->head};
	follow(d, starts, &q);
	mem_free(s->host);
	mem_free(s->path);
	free(s->query);
	mem_free(s);
}

static void try_hosts(struct draft *d, uint64_t starts, const struct route *host,
        const struct route *path, const struct route *conditions)
{
	size_t n = host->host_n > 0 ? host->host_n : 1;
	for (size_t i = 0; i < n; i++)
		try_one(d, starts, host, i, path, conditions);
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
