/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/names.h"

#include "base/mem.h"
#include "base/random.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

enum {
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 30 * 1000, /* with a good answer at hand; without one, RETRY_FIRST_MS */
};

void names_init(struct names *all)
{
	memset(all, 0, sizeof(*all));
	list_init(&all->by_use);
}

static void drop(struct names *all, struct name *n)
{
	struct name **at = &all->slot[n->hash % NAMES_MAX];

	assert(n->users == 0);
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	list_remove(&n->node);
	all->n--;
	mem_free(n->good);
	mem_free(n);
}

void names_fini(struct names *all)
{
	while (!list_is_empty(&all->by_use))
		drop(all, list_entry(all->by_use.next, struct name, node));
}

/* FNV-1a. Names come from the configuration and from name servers that it trusts. */
static uint32_t hash_of(enum name_kind kind, const char *text)
{
	uint32_t h = 2166136261U ^ (uint32_t)kind;

	for (; *text; text++)
		h = (h ^ ascii_lower((uint8_t)*text)) * 16777619U;
	return h;
}

static bool is_same(const struct name *n, enum name_kind kind, uint32_t hash, const char *text)
{
	return n->kind == kind && n->hash == hash &&
	       slice_equal_nocase(slice_str(n->text), slice_str(text));
}

static bool make_room(struct names *all)
{
	list_each (it, &all->by_use) {
		struct name *n = list_entry(it, struct name, node);
		if (n->users > 0)
			continue;
		drop(all, n);
		return true;
	}
	return false;
}

static struct name *add(struct names *all, enum name_kind kind, uint32_t hash, const char *text)
{
	size_t len = strlen(text);
	struct name *n = NULL;

	if (all->n < NAMES_MAX || make_room(all))
		n = mem_try(sizeof(*n) + len + 1);
	if (!n)
		return NULL;
	memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->hash = hash;
	for (size_t i = 0; i <= len; i++)
		n->text[i] = (char)ascii_lower((uint8_t)text[i]);
	list_init(&n->node);
	list_init(&n->waiters);
	n->next = all->slot[hash % NAMES_MAX];
	all->slot[hash % NAMES_MAX] = n;
	all->n++;
	return n;
}

struct name *names_get(struct names *all, enum name_kind kind, const char *text)
{
	uint32_t hash = hash_of(kind, text);
	struct name *n = all->slot[hash % NAMES_MAX];

	while (n && !is_same(n, kind, hash, text))
		n = n->next;
	if (!n)
		n = add(all, kind, hash, text);
	if (!n)
		return NULL;
	list_remove(&n->node);
	list_append(&all->by_use, &n->node);
	return n;
}

/* ---- what is known ---- */

static bool holds_address(const struct name_answer *a, const struct address_brief *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->address[i].family == b->family &&
		        memcmp(a->address[i].ip, b->ip, sizeof(b->ip)) == 0)
			return true;
	return false;
}

static bool holds_target(const struct name_answer *a, const struct dns_target *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct dns_target *t = &a->target[i];
		if (t->priority == b->priority && t->weight == b->weight && t->port == b->port &&
		        slice_equal_nocase(slice_str(t->host), slice_str(b->host)))
			return true;
	}
	return false;
}

/* In whatever order. */
static bool says_the_same(
        enum name_kind kind, const struct name_answer *a, const struct name_answer *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (kind == NAME_SERVICE ? !holds_target(b, &a->target[i])
		                         : !holds_address(b, &a->address[i]))
			return false;
	return true;
}

struct name_answer *name_answer_new(enum name_kind kind, size_t n)
{
	bool is_service = kind == NAME_SERVICE;
	size_t each = is_service ? sizeof(struct dns_target) : sizeof(struct address_brief);
	struct name_answer *a = mem_try(sizeof(*a) + n * each);

	if (!a)
		return NULL;
	*a = (struct name_answer){.n = n};
	if (is_service)
		a->target = (struct dns_target *)(a + 1);
	else
		a->address = (struct address_brief *)(a + 1);
	return a;
}

bool name_learn(struct name *n, struct name_answer *a, uint64_t now_ms, uint64_t ttl_ms)
{
	struct name_answer *old = n->good;
	bool changed = old && !says_the_same(n->kind, old, a);

	n->good = a;
	n->learnt_ms = now_ms;
	n->refresh_ms = now_ms + ttl_ms / 4 * 3;
	n->expires_ms = now_ms + ttl_ms;
	n->retry_ms = 0;
	n->fails = 0;
	n->error = NULL;
	mem_free(old);
	return changed;
}

void name_fail(struct name *n, enum name_failure failure, const char *error, uint64_t now_ms)
{
	uint64_t wait = RETRY_FIRST_MS;

	for (unsigned i = 0; n->good && i < n->fails && wait < RETRY_MAX_MS; i++)
		wait *= 2;
	n->retry_ms = now_ms + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
	n->fails++;
	n->failure = failure;
	n->error = error;
}

bool name_give_up(struct name *n, uint64_t now_ms)
{
	uint64_t keep_ms = n->failure == NAME_DENIED ? NAME_KEEP_DENIED_MS : NAME_KEEP_MS;

	if (!n->good || n->fails == 0 || now_ms < n->expires_ms + keep_ms)
		return false;
	mem_free(n->good);
	n->good = NULL;
	return true;
}

/* ---- what an asker gets ---- */

static void put_address(struct address *out, const struct address_brief *from)
{
	memset(out, 0, sizeof(*out));
	if (from->family == AF_INET6) {
		struct sockaddr_in6 *sa = (struct sockaddr_in6 *)&out->storage;
		sa->sin6_family = AF_INET6;
		memcpy(&sa->sin6_addr, from->ip, 16);
		out->len = sizeof(*sa);
	} else {
		struct sockaddr_in *sa = (struct sockaddr_in *)&out->storage;
		sa->sin_family = AF_INET;
		memcpy(&sa->sin_addr, from->ip, 4);
		out->len = sizeof(*sa);
	}
}

/* The places of one family's addresses, the turn's first. */
static size_t sort_out(const struct name *n, bool want_v6, uint8_t place[NAME_ADDRESSES_MAX])
{
	uint8_t all[NAME_ADDRESSES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < n->good->n; i++)
		if ((n->good->address[i].family == AF_INET6) == want_v6)
			all[count++] = (uint8_t)i;
	for (size_t i = 0; i < count; i++)
		place[i] = all[(i + (n->good->rotates ? n->turn : 0)) % count];
	return count;
}

size_t name_addresses(struct name *n, struct address *out)
{
	uint8_t place[2][NAME_ADDRESSES_MAX];
	const struct name_answer *a = n->good;
	size_t count[2], done = 0;

	if (!a || a->n == 0)
		return 0;
	bool v6_first = a->address[0].family == AF_INET6;
	count[0] = sort_out(n, v6_first, place[0]);
	count[1] = sort_out(n, !v6_first, place[1]);
	for (size_t i = 0; i < count[0] || i < count[1]; i++)
		for (int f = 0; f < 2; f++)
			if (i < count[f])
				put_address(&out[done++], &a->address[place[f][i]]);
	n->turn++;
	return done;
}

static int by_priority(const void *a, const void *b)
{
	const struct dns_target *x = *(const struct dns_target *const *)a;
	const struct dns_target *y = *(const struct dns_target *const *)b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	/* Those without weight first, so that they have a chance at all. */
	return (x->weight > 0) - (y->weight > 0);
}

/* Of n targets of one priority, those without weight in front, brings one to the front. */
static void draw(const struct dns_target **t, size_t n)
{
	uint32_t sum = 0, at = 0;
	size_t i = 0;

	for (size_t k = 0; k < n; k++)
		sum += t[k]->weight;
	uint32_t mark = random_below(sum + 1);
	while (i + 1 < n && (at += t[i]->weight) < mark)
		i++;
	const struct dns_target *chosen = t[i];
	memmove(t + 1, t, i * sizeof(t[0]));
	t[0] = chosen;
}

size_t name_targets(const struct name *n, const struct dns_target **out)
{
	size_t count = n->good ? n->good->n : 0;

	for (size_t i = 0; i < count; i++)
		out[i] = &n->good->target[i];
	if (count > 0)
		qsort(out, count, sizeof(out[0]), by_priority);
	for (size_t i = 0; i < count; i++) {
		size_t end = i;
		while (end < count && out[end]->priority == out[i]->priority)
			end++;
		draw(out + i, end - i);
	}
	return count;
}
