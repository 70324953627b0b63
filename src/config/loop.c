/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/loop.h"

#include "base/mem.h"
#include "config/build.h"
#include "config/draft.h"
#include "config/place.h"

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
		u->listener = listener_of(d, &u->group->server);
		if (u->listener != NOWHERE)
			bits |= UINT64_C(1) << u->listener;
	}
	return bits;
}

/* The upstream that a request for the path at the listener goes to, when that is
 * one of our own listeners; else NULL. */
static struct draft_upstream *next(
        struct draft *d, int listener, struct slice path, struct route **by)
{
	*by = route_find(d->config->routes, (unsigned)listener, path);
	if (!*by || !(*by)->group)
		return NULL;
	struct draft_upstream *u = build_find_upstream(d, (*by)->group->name);
	return u && u->listener != NOWHERE ? u : NULL;
}

static void tell(struct draft *d, struct draft_upstream *u, const struct route *by)
{
	const struct reader_entry *e = reader_find(u->section, "server");
	if (!u->is_loop_told)
		draft_error(d, u->section, e,
		        "a loop: this is [listener %s], whose requests come back here by [route "
		        "%s]",
		        d->config->listener[u->listener].name, by->name);
	u->is_loop_told = true;
}

/* Goes where a request would go; more steps than there are listeners is a loop. */
static void follow(struct draft *d, int listener, struct slice path)
{
	for (size_t steps = 0; steps <= d->config->listener_n; steps++) {
		struct route *by;
		struct draft_upstream *u = next(d, listener, path, &by);
		if (!u)
			return;
		if (steps == d->config->listener_n)
			tell(d, u, by);
		listener = u->listener;
	}
}

/* A path that the route matches and no longer one does: no route can hold the
 * byte 1. Every request that is routed goes the way of one of these. */
static char *sample(const struct route *r)
{
	const char *path = r->path[0] ? r->path : "/";
	size_t len = strlen(path);
	char *out = mem_new(len + 2);
	memcpy(out, path, len);
	if (r->prefix)
		out[len] = 1;
	return out;
}

void loop_check(struct draft *d)
{
	uint64_t starts = find_listeners(d);
	if (starts == 0)
		return;
	for (size_t i = 0; i < d->route_n; i++) {
		char *path = sample(d->route[i].route);
		for (int l = 0; l < 64; l++)
			if (starts >> l & 1)
				follow(d, l, slice_str(path));
		mem_free(path);
	}
}
