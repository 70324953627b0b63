/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/loop_walk.h"

#include "base/mem.h"
#include "config/build.h"
#include "http/head.h"
#include "proxy/rewrite.h"
#include "proxy/route_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HOPS_MAX = 100,   /* whoever goes further goes round */
	STATES_MAX = 500, /* of one request; what lies behind them is not looked at */
};

/* The request as it comes to a listener. */
struct state {
	int listener;
	char *host, *path, *lines;
	bool is_on_the_way; /* the walk goes through it now; else all behind it was seen */
	unsigned depth;
};

/* A step from one state to another. */
struct hop {
	struct draft_upstream *upstream;
	struct draft_server *server;
	const struct route *by;
};

struct loop_walk {
	struct draft *d;
	const char *query, *lines;
	struct state *state[STATES_MAX];
	size_t n;
	struct hop hop[HOPS_MAX]; /* from the state of this depth on the way to the next */
	struct http_head head;
	char *text; /* that `head` was read from */
};

struct loop_walk *loop_walk_new(struct draft *d, const char *query, const char *lines)
{
	struct loop_walk *w = mem_new(sizeof *w);
	w->d = d;
	w->query = query;
	w->lines = lines;
	return w;
}

static void state_free(struct state *s)
{
	mem_free(s->host);
	mem_free(s->path);
	mem_free(s->lines);
	mem_free(s);
}

void loop_walk_free(struct loop_walk *w)
{
	for (size_t i = 0; i < w->n; i++)
		state_free(w->state[i]);
	free(w->text);
	mem_free(w);
}

static bool is_same(const struct state *a, const struct state *b)
{
	return a->listener == b->listener && strcmp(a->host, b->host) == 0 &&
	       strcmp(a->path, b->path) == 0 && strcmp(a->lines, b->lines) == 0;
}

/* Takes the state over. NULL: there is no room. */
static struct state *find_or_add(struct loop_walk *w, struct state *s, bool *is_new)
{
	*is_new = false;
	for (size_t i = 0; i < w->n; i++) {
		if (!is_same(w->state[i], s))
			continue;
		state_free(s);
		return w->state[i];
	}
	if (w->n == STATES_MAX) {
		state_free(s);
		return NULL;
	}
	*is_new = true;
	return w->state[w->n++] = s;
}

/* Reads the head that conditions and rules look at; host and path are in the state. */
static bool read_head(struct loop_walk *w, const struct state *s)
{
	size_t len;
	struct http_scan scan = {0};
	free(w->text);
	FILE *out = open_memstream(&w->text, &len);
	if (!out)
		abort();
	fprintf(out, "GET /?%s HTTP/1.1\r\nHost: x\r\n%s\r\n", w->query, s->lines);
	fclose(out);
	return http_parse_request(&w->head, &scan, (const uint8_t *)w->text, len) > 0;
}

static struct route *route_at(struct loop_walk *w, const struct state *s)
{
	struct route_query q = {.listener = (unsigned)s->listener,
	        .host = slice_str(s->host),
	        .path = slice_str(s->path),
	        .head = &w->head};
	return route_find(w->d->config->routes, &q);
}

/* ---- what a route makes of the request ---- */

static char *copy(struct slice s)
{
	char *out = mem_new(s.len + 1);
	memcpy(out, s.at, s.len);
	return out;
}

static char *next_host(const struct state *s, const struct route *by, const char *server)
{
	uint8_t host[URI_HOST_MAX];
	struct slice port, given = slice_str(by->headers.host ? by->headers.host : s->host);
	if (by->headers.host_is_server)
		given = rewrite_server_host(slice_str(server));
	else if (!by->headers.host)
		return mem_strdup(s->host);
	return copy(slice_of(host, uri_host(given, host, &port)));
}

/* Too long a path is refused by the daemon: NULL. */
static char *next_path(const struct state *s, const struct route *by)
{
	uint8_t buf[HTTP_TARGET_MAX];
	struct http_writer out;
	http_writer_init(&out, buf, sizeof buf);
	rewrite_path(&out, slice_str(s->path), by->headers.from, by->headers.to);
	return out.overflow ? NULL : copy(slice_of(buf, out.len));
}

static const char *name_of(const struct draft *d, int listener)
{
	size_t i = 0;
	while (d->listener[i].number != (unsigned)listener)
		i++;
	return d->listener[i].section->name;
}

static char *next_lines(
        struct loop_walk *w, const struct state *s, const struct route *by, const char *server)
{
	static const struct address_brief somebody = {.family = AF_INET, .ip = {192, 0, 2, 1}};
	static uint8_t buf[HTTP_HEAD_MAX], whole[2 * HTTP_HEAD_MAX];
	struct rules_scope scope = {.head = &w->head,
	        .client = &somebody,
	        .peer = &somebody,
	        .listener = slice_str(name_of(w->d, s->listener)),
	        .route = slice_str(by->name),
	        .request_id = SLICE("0")};
	struct http_writer out, expanded;
	http_writer_init(&out, buf, sizeof buf);
	rules_filter(by->headers.request, &w->head, false);
	for (size_t i = 0; i < w->head.n; i++) {
		const struct http_field *f = &w->head.field[i];
		if (!f->named && f->id != HTTP_HOST)
			http_put_field(&out, f->name, f->value);
	}
	rules_put(by->headers.request, &out, &scope);
	http_writer_init(&expanded, whole, sizeof whole);
	rules_expand(&expanded, slice_of(buf, out.len), slice_str(server));
	return out.overflow || expanded.overflow ? NULL : copy(slice_of(whole, expanded.len));
}

static struct state *state_new(int listener, char *host, char *path, char *lines)
{
	struct state *s = mem_new(sizeof *s);
	*s = (struct state){.listener = listener, .host = host, .path = path, .lines = lines};
	return s;
}

/* The request as this server's listener gets it. NULL: it does not get that far. */
static struct state *next_state(struct loop_walk *w, const struct state *s, const struct route *by,
        const struct draft_server *server, const char *name)
{
	if (!read_head(w, s))
		return NULL;
	struct state *next = state_new(server->listener, next_host(s, by, name), next_path(s, by),
	        next_lines(w, s, by, name));
	if (next->path && next->lines)
		return next;
	state_free(next);
	return NULL;
}

/* ---- the walk ---- */

static void tell(struct loop_walk *w, const struct hop *h)
{
	struct draft_server *s = h->server;
	if (!s->is_loop_told)
		draft_error(w->d, h->upstream->section, s->entry,
		        "a loop: this is [listener %s], whose requests come back here by [route "
		        "%s]",
		        name_of(w->d, s->listener), h->by->name);
	s->is_loop_told = true;
}

static void visit(struct loop_walk *w, struct state *s, unsigned depth);

static void step(struct loop_walk *w, const struct state *s, const struct hop *h, const char *name)
{
	bool is_new;
	w->hop[s->depth] = *h;
	struct state *next = next_state(w, s, h->by, h->server, name);
	struct state *to = next ? find_or_add(w, next, &is_new) : NULL;
	if (!to)
		return;
	if (is_new)
		visit(w, to, s->depth + 1);
	for (unsigned i = to->depth; to->is_on_the_way && i <= s->depth; i++)
		tell(w, &w->hop[i]);
}

static void visit(struct loop_walk *w, struct state *s, unsigned depth)
{
	if (depth == HOPS_MAX) {
		tell(w, &w->hop[depth - 1]);
		return;
	}
	if (!read_head(w, s))
		return;
	const struct route *by = route_at(w, s);
	struct draft_upstream *u =
	        by && by->group ? build_find_upstream(w->d, by->group->name) : NULL;
	s->depth = depth;
	s->is_on_the_way = true;
	for (size_t i = 0; u && i < u->server_n; i++) {
		struct hop h = {.upstream = u, .server = &u->server[i], .by = by};
		if (h.server->listener >= 0)
			step(w, s, &h, u->group->members->server[i].name);
	}
	s->is_on_the_way = false;
}

void loop_walk_from(struct loop_walk *w, int listener, const char *host, const char *path)
{
	bool is_new;
	struct state *start =
	        state_new(listener, mem_strdup(host), mem_strdup(path), mem_strdup(w->lines));
	struct state *s = find_or_add(w, start, &is_new);
	if (is_new)
		visit(w, s, 0);
}
