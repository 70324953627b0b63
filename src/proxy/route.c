/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/route.h"

#include "base/mem.h"
#include "upstream/group.h"

#include <stdlib.h>

struct route *route_new(const char *name)
{
	struct route *r = mem_new(sizeof *r);
	r->name = mem_strdup(name);
	atomic_init(&r->refs, 1);
	return r;
}

struct route *route_ref(struct route *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void route_unref(struct route *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	upstream_group_unref(r->group);
	mem_free(r->respond_location);
	mem_free(r->path);
	mem_free(r->name);
	mem_free(r);
}

/* All routes with one path, of one kind (exact or prefix). */
struct place {
	struct slice path;    /* the first route's */
	struct route **first; /* those that name listeners come before those that do not */
	size_t n;
	struct place *shorter; /* among prefixes: the longest that begins this one; or NULL */
};

/* Places in the order of their paths' bytes. */
struct places {
	struct place *at;
	size_t n;
};

struct route_table {
	atomic_uint refs;
	struct route **routes; /* exact ones, then prefixes, each in the order of places */
	size_t n;
	struct places exact, prefix;
};

static struct slice path_of(const struct route *r)
{
	return slice_str(r->path ? r->path : "");
}

static bool is_prefix(const struct route *r)
{
	return r->prefix || path_of(r).len == 0;
}

static int compare(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.at, b.at, n) : 0;
	return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int by_place(const void *a, const void *b)
{
	const struct route *x = *(struct route *const *)a, *y = *(struct route *const *)b;
	if (is_prefix(x) != is_prefix(y))
		return is_prefix(x) ? 1 : -1;
	int c = compare(path_of(x), path_of(y));
	return c ? c : (x->listeners == 0) - (y->listeners == 0);
}

/* The places of n sorted routes of one kind. */
static struct places places_of(struct route **routes, size_t n)
{
	struct places p = {mem_new(n * sizeof p.at[0]), 0};
	for (size_t i = 0; i < n; i++) {
		struct slice path = path_of(routes[i]);
		if (p.n > 0 && slice_equal(p.at[p.n - 1].path, path))
			p.at[p.n - 1].n++;
		else
			p.at[p.n++] = (struct place){path, &routes[i], 1, NULL};
	}
	return p;
}

/* In byte order a path's prefixes all come before it, and the one just before it
 * is either the longest of them or has it among its own. */
static void link_prefixes(struct places *p)
{
	for (size_t i = 1; i < p->n; i++) {
		struct place *s = &p->at[i - 1];
		while (s && !slice_starts_with(p->at[i].path, s->path))
			s = s->shorter;
		p->at[i].shorter = s;
	}
}

struct route_table *route_table_new(struct route *const *routes, size_t n)
{
	struct route_table *t = mem_new(sizeof *t);
	atomic_init(&t->refs, 1);
	t->routes = mem_new(n * sizeof(struct route *));
	t->n = n;
	size_t exact = 0;
	for (size_t i = 0; i < n; i++) {
		t->routes[i] = route_ref(routes[i]);
		exact += !is_prefix(routes[i]);
	}
	if (n > 0)
		qsort(t->routes, n, sizeof(struct route *), by_place);
	t->exact = places_of(t->routes, exact);
	t->prefix = places_of(t->routes + exact, n - exact);
	link_prefixes(&t->prefix);
	return t;
}

struct route_table *route_table_ref(struct route_table *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void route_table_unref(struct route_table *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < t->n; i++)
		route_unref(t->routes[i]);
	mem_free(t->exact.at);
	mem_free(t->prefix.at);
	mem_free(t->routes);
	mem_free(t);
}

/* The last place whose path is not behind the given one; NULL: all are. */
static const struct place *last_not_behind(const struct places *p, struct slice path)
{
	size_t low = 0, high = p->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(p->at[middle].path, path) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &p->at[low - 1] : NULL;
}

static struct route *for_listener(const struct place *p, unsigned listener)
{
	for (size_t i = 0; i < p->n; i++) {
		struct route *r = p->first[i];
		if (r->listeners == 0 || (listener < 64 && r->listeners >> listener & 1))
			return r;
	}
	return NULL;
}

struct route *route_find(const struct route_table *t, unsigned listener, struct slice path)
{
	const struct place *p = last_not_behind(&t->exact, path);
	if (p && slice_equal(p->path, path)) {
		struct route *r = for_listener(p, listener);
		if (r)
			return r;
	}
	for (p = last_not_behind(&t->prefix, path); p; p = p->shorter) {
		if (!slice_starts_with(path, p->path))
			continue;
		struct route *r = for_listener(p, listener);
		if (r)
			return r;
	}
	return NULL;
}
