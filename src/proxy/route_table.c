/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/route_table.h"

#include "base/mem.h"
#include "http/uri.h"
#include "proxy/condition.h"

#include <stdlib.h>

/* Routes of one place that ask the same listeners for the same headers and arguments,
 * and differ only in the values they want: in the order of these. */
struct run {
	struct route **first;
	size_t n;
};

/* All routes with one host and path, of one kind (exact or prefix). */
struct place {
	struct slice path;
	struct run *run; /* named listeners first, then the most conditions */
	size_t n;
	struct place *shorter; /* among prefixes: the longest that begins this one; or NULL */
};

/* Places in the order of their paths' bytes. */
struct places {
	struct place *at;
	size_t n;
};

/* All routes with one host; with none, when it is empty. */
struct zone {
	struct slice host; /* without the star of a suffix */
	bool is_suffix;
	uint32_t hash;
	struct places exact, prefix;
};

struct route_table {
	atomic_uint refs;
	struct route **routes; /* once for each of its hosts, in the order of the zones */
	size_t n;
	struct run *runs;
	struct place *places;
	struct zone *zones;
	size_t run_n, place_n, zone_n;
	bool has_suffixes;
	uint32_t *slot; /* of the hash table: number of a zone and one; 0 = free */
	uint32_t mask;
	char **listener; /* by number; NULL: they have no names here */
};

/* ---- the order ---- */

/* A route at one of its hosts. */
struct entry {
	struct slice host;
	bool is_suffix;
	struct route *route;
	size_t number; /* in the array given */
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
	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_zones(const struct entry *x, const struct entry *y)
{
	if (x->is_suffix != y->is_suffix)
		return x->is_suffix ? 1 : -1;
	return compare(x->host, y->host);
}

static int compare_places(const struct route *x, const struct route *y)
{
	if (is_prefix(x) != is_prefix(y))
		return is_prefix(x) ? 1 : -1;
	return compare(path_of(x), path_of(y));
}

/* What decides between routes of one place; 0 = nothing but their conditions. */
static int compare_ranks(const struct route *x, const struct route *y)
{
	int c = (x->listeners == 0) - (y->listeners == 0);
	return c ? c : (x->condition_n < y->condition_n) - (x->condition_n > y->condition_n);
}

static int compare_runs(const struct route *x, const struct route *y)
{
	int c = compare_ranks(x, y);
	for (size_t i = 0; c == 0 && i < x->condition_n; i++)
		c = condition_order(&x->condition[i], &y->condition[i]);
	return c ? c : (x->listeners > y->listeners) - (x->listeners < y->listeners);
}

static int compare_values(const struct route *x, const struct route *y)
{
	int c = 0;
	for (size_t i = 0; c == 0 && i < x->condition_n; i++)
		c = strcmp(x->condition[i].value, y->condition[i].value);
	return c;
}

static int by_all(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = compare_zones(x, y);
	c = c ? c : compare_places(x->route, y->route);
	c = c ? c : compare_runs(x->route, y->route);
	c = c ? c : compare_values(x->route, y->route);
	return c ? c : (x->number > y->number) - (x->number < y->number);
}

static struct entry *entries_of(struct route *const *routes, size_t n, size_t *entry_n)
{
	size_t all = 0, k = 0;
	for (size_t i = 0; i < n; i++)
		all += routes[i]->host_n > 0 ? routes[i]->host_n : 1;
	struct entry *e = mem_new((all + 1) * sizeof e[0]);
	for (size_t i = 0; i < n; i++) {
		struct route *r = routes[i];
		if (r->host_n == 0)
			e[k++] = (struct entry){SLICE(""), false, r, i};
		for (size_t h = 0; h < r->host_n; h++) {
			bool is_suffix = r->host[h][0] == '*';
			e[k++] = (struct entry){slice_str(r->host[h] + is_suffix), is_suffix, r, i};
		}
	}
	if (k > 0)
		qsort(e, k, sizeof e[0], by_all);
	*entry_n = k;
	return e;
}

/* ---- building ---- */

/* FNV-1a from the last byte to the first, so that one pass hashes every suffix. */
enum { HASH_START = 0x811c9dc5, HASH_PRIME = 0x01000193 };
static uint32_t hash_step(uint32_t hash, uint8_t c)
{
	return (hash ^ c) * (uint32_t)HASH_PRIME;
}

static uint32_t hash_of(struct slice s)
{
	uint32_t hash = (uint32_t)HASH_START;
	for (size_t i = s.len; i > 0; i--)
		hash = hash_step(hash, s.at[i - 1]);
	return hash;
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

static void add_to_place(struct route_table *t, struct place *p, struct route **at)
{
	struct run *last = p->n > 0 ? &p->run[p->n - 1] : NULL;
	if (last && compare_runs(last->first[0], *at) == 0) {
		last->n++;
		return;
	}
	t->runs[t->run_n++] = (struct run){at, 1};
	p->n++;
}

static void add_to_zone(struct route_table *t, struct zone *z, struct route **at)
{
	struct places *all = is_prefix(*at) ? &z->prefix : &z->exact;
	struct slice path = path_of(*at);
	if (all->n == 0 || !slice_equal(all->at[all->n - 1].path, path)) {
		struct place *p = &t->places[t->place_n++];
		*p = (struct place){.path = path, .run = &t->runs[t->run_n]};
		if (all->n++ == 0)
			all->at = p;
	}
	add_to_place(t, &all->at[all->n - 1], at);
}

static void add_entry(struct route_table *t, const struct entry *e)
{
	struct zone *z = t->zone_n > 0 ? &t->zones[t->zone_n - 1] : NULL;
	if (!z || z->is_suffix != e->is_suffix || !slice_equal(z->host, e->host)) {
		z = &t->zones[t->zone_n++];
		*z = (struct zone){
		        .host = e->host, .is_suffix = e->is_suffix, .hash = hash_of(e->host)};
		t->has_suffixes |= e->is_suffix;
	}
	t->routes[t->n] = route_ref(e->route);
	add_to_zone(t, z, &t->routes[t->n++]);
}

static void hash_zones(struct route_table *t)
{
	size_t size = 2;
	while (size < 2 * t->zone_n)
		size *= 2;
	t->slot = mem_new(size * sizeof t->slot[0]);
	t->mask = (uint32_t)(size - 1);
	for (size_t i = 0; i < t->zone_n; i++) {
		uint32_t at = t->zones[i].hash & t->mask;
		while (t->slot[at])
			at = (at + 1) & t->mask;
		t->slot[at] = (uint32_t)(i + 1);
	}
}

struct route_table *route_table_new(struct route *const *routes, size_t n)
{
	size_t entry_n;
	struct route_table *t = mem_new(sizeof *t);
	struct entry *e = entries_of(routes, n, &entry_n);
	atomic_init(&t->refs, 1);
	t->routes = mem_new((entry_n + 1) * sizeof(struct route *));
	t->runs = mem_new((entry_n + 1) * sizeof t->runs[0]);
	t->places = mem_new((entry_n + 1) * sizeof t->places[0]);
	t->zones = mem_new((entry_n + 1) * sizeof t->zones[0]);
	for (size_t i = 0; i < entry_n; i++)
		add_entry(t, &e[i]);
	for (size_t i = 0; i < t->zone_n; i++)
		link_prefixes(&t->zones[i].prefix);
	hash_zones(t);
	mem_free(e);
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
	for (unsigned i = 0; t->listener && i < ROUTE_LISTENERS_MAX; i++)
		mem_free(t->listener[i]);
	mem_free(t->listener);
	mem_free(t->slot);
	mem_free(t->zones);
	mem_free(t->places);
	mem_free(t->runs);
	mem_free(t->routes);
	mem_free(t);
}

void route_table_name_listener(struct route_table *t, unsigned number, const char *name)
{
	if (!t->listener)
		t->listener = mem_new(ROUTE_LISTENERS_MAX * sizeof(char *));
	t->listener[number] = mem_strdup(name);
}

static bool is_named(const struct route_table *t, unsigned number, const char *name)
{
	return t->listener[number] && strcmp(t->listener[number], name) == 0;
}

unsigned route_table_listener(const struct route_table *t, const char *name, unsigned guess)
{
	unsigned i = 0;
	if (!t->listener || is_named(t, guess, name))
		return guess;
	while (i < ROUTE_LISTENERS_MAX && !is_named(t, i, name))
		i++;
	return i;
}

/* ---- routes between which nothing decides ---- */

static bool exclude_each_other(const struct route *x, const struct route *y)
{
	for (size_t i = 0, k = 0; i < x->condition_n && k < y->condition_n;) {
		int c = condition_order(&x->condition[i], &y->condition[k]);
		if (c == 0 && strcmp(x->condition[i].value, y->condition[k].value) != 0)
			return true;
		i += c <= 0;
		k += c >= 0;
	}
	return false;
}

static bool clash_of_runs(const struct run *a, const struct run *b, const struct route *out[2])
{
	const struct route *x = a->first[0], *y = b->first[0];
	bool share = (x->listeners & y->listeners) != 0 || x->listeners == 0;
	if (compare_ranks(x, y) != 0 || !share)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < b->n; k++) {
			if (exclude_each_other(a->first[i], b->first[k]))
				continue;
			out[0] = a->first[i];
			out[1] = b->first[k];
			return true;
		}
	}
	return false;
}

/* In a run, the same values stand side by side. */
static bool clash_in_run(const struct run *r, const struct route *out[2])
{
	for (size_t i = 1; i < r->n; i++) {
		if (compare_values(r->first[i - 1], r->first[i]) != 0)
			continue;
		out[0] = r->first[i - 1];
		out[1] = r->first[i];
		return true;
	}
	return false;
}

static bool clash_in_place(const struct place *p, const struct route *out[2])
{
	for (size_t i = 0; i < p->n; i++) {
		if (clash_in_run(&p->run[i], out))
			return true;
		for (size_t k = 0; k < i; k++)
			if (clash_of_runs(&p->run[k], &p->run[i], out))
				return true;
	}
	return false;
}

void route_table_clashes(const struct route_table *t, route_clash_fn fn, void *arg)
{
	const struct route *found[2];
	for (size_t i = 0; i < t->place_n; i++)
		if (clash_in_place(&t->places[i], found))
			fn(found[0], found[1], arg);
}

/* ---- the search ---- */

/* The zones of a host, the most specific first. */
struct zones {
	const struct route_table *t;
	struct slice host;
	size_t at; /* what of the host is looked up next; behind its end: no host */
	bool is_done;
	uint32_t hash[URI_HOST_MAX]; /* of what begins there */
};

static void zones_init(struct zones *z, const struct route_table *t, struct slice host)
{
	uint32_t hash = (uint32_t)HASH_START;
	z->t = t;
	z->host = host.len < URI_HOST_MAX ? host : slice_of(host.at, 0);
	z->at = 0;
	z->is_done = false;
	for (size_t i = z->host.len; i > 0; i--)
		z->hash[i - 1] = hash = hash_step(hash, z->host.at[i - 1]);
}

static const struct zone *look_up(
        const struct route_table *t, struct slice host, bool is_suffix, uint32_t hash)
{
	for (uint32_t at = hash & t->mask; t->slot[at]; at = (at + 1) & t->mask) {
		const struct zone *z = &t->zones[t->slot[at] - 1];
		if (z->hash == hash && z->is_suffix == is_suffix && slice_equal(z->host, host))
			return z;
	}
	return NULL;
}

/* NULL at the end. */
static const struct zone *zones_next(struct zones *z)
{
	while (z->at < z->host.len) {
		size_t at = z->at++;
		const struct zone *found = NULL;
		if (at == 0 || z->host.at[at] == '.')
			found = look_up(z->t, slice_of(z->host.at + at, z->host.len - at), at > 0,
			        z->hash[at]);
		if (at == 0 && !z->t->has_suffixes)
			z->at = z->host.len;
		if (found)
			return found;
	}
	if (z->is_done)
		return NULL;
	z->is_done = true;
	return look_up(z->t, SLICE(""), false, (uint32_t)HASH_START);
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

/* The places of a zone that hold the path, the most specific first: `before` is the
 * one that was before, or NULL. NULL at the end. */
static const struct place *next_place(
        const struct zone *z, struct slice path, const struct place *before)
{
	const struct place *p;
	if (!before) {
		p = last_not_behind(&z->exact, path);
		if (p && slice_equal(p->path, path))
			return p;
	}
	bool was_prefix = before && is_prefix(before->run[0].first[0]);
	p = was_prefix ? before->shorter : last_not_behind(&z->prefix, path);
	while (p && !slice_starts_with(path, p->path))
		p = p->shorter;
	return p;
}

static bool is_at(const struct route *r, unsigned listener)
{
	return r->listeners == 0 ||
	       (listener < ROUTE_LISTENERS_MAX && r->listeners >> listener & 1);
}

/* The order of the request's values and those that a route wants. */
static int compare_wanted(const struct slice *given, const struct route *r)
{
	int c = 0;
	for (size_t i = 0; c == 0 && i < r->condition_n; i++)
		c = condition_compare(&r->condition[i], given[i]);
	return c;
}

static struct route *find_in_run(const struct run *run, const struct route_query *q)
{
	const struct route *first = run->first[0];
	struct slice given[CONDITIONS_MAX];
	size_t low = 0, high = run->n;
	if (!is_at(first, q->listener))
		return NULL;
	if (first->condition_n == 0)
		return run->first[0];
	for (size_t i = 0; i < first->condition_n; i++)
		if (!q->head || !condition_find(&first->condition[i], q->head, q->tls, &given[i]))
			return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = compare_wanted(given, run->first[middle]);
		if (c == 0)
			return run->first[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static struct route *find_in_place(const struct place *p, const struct route_query *q)
{
	struct route *r = NULL;
	for (size_t i = 0; !r && i < p->n; i++)
		r = find_in_run(&p->run[i], q);
	return r;
}

struct route *route_find(const struct route_table *t, const struct route_query *q)
{
	struct zones zones;
	const struct zone *z;
	zones_init(&zones, t, q->host);
	while ((z = zones_next(&zones))) {
		for (const struct place *p = NULL; (p = next_place(z, q->path, p));) {
			struct route *r = find_in_place(p, q);
			if (r)
				return r;
		}
	}
	return NULL;
}

/* ---- the same, told ---- */

static void judge(const struct route *r, const struct route_query *q, struct route_step *step)
{
	step->route = r;
	step->condition = NULL;
	step->verdict = is_at(r, q->listener) ? ROUTE_HOLDS : ROUTE_NOT_AT_LISTENER;
	for (size_t i = 0; step->verdict == ROUTE_HOLDS && i < r->condition_n; i++) {
		if (q->head && condition_holds(&r->condition[i], q->head, q->tls))
			continue;
		step->verdict = ROUTE_NOT_BY_CONDITION;
		step->condition = &r->condition[i];
	}
}

static bool tell_place(const struct place *p, const struct route_query *q, struct route_step *step,
        route_step_fn fn, void *arg)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->run[i].n; k++) {
			judge(p->run[i].first[k], q, step);
			fn(step, arg);
			if (step->verdict == ROUTE_HOLDS)
				return true;
		}
	}
	return false;
}

struct route *route_explain(
        const struct route_table *t, const struct route_query *q, route_step_fn fn, void *arg)
{
	struct zones zones;
	const struct zone *z;
	zones_init(&zones, t, q->host);
	while ((z = zones_next(&zones))) {
		struct route_step step = {.host = z->host, .is_suffix = z->is_suffix};
		const struct place *p = next_place(z, q->path, NULL);
		if (!p)
			fn(&step, arg);
		for (; p; p = next_place(z, q->path, p))
			if (tell_place(p, q, &step, fn, arg))
				return route_find(t, q);
	}
	return NULL;
}
