/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/limits.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/siphash.h"
#include "proxy/bucket.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
	SHARDS = 64,
	SLOTS_MIN = 16, /* of a shard; doubled as it fills */
	ENTRIES_PER_SLAB = 16,
	SWEEP_MAX = 2, /* entries that need no place any more, freed at each new one */
};

/* Without padding: it is compared as bytes. */
struct key {
	uint64_t scope;
	uint8_t ip[16]; /* IPv4 as ::ffff:0:0/96 */
};

struct limit_entry {
	struct limit_entry *next; /* of its slot */
	struct list idle;         /* of the shard, the one idle longest first; while count is 0 */
	struct key key;
	uint32_t count;
	uint32_t hash; /* of the address */
	struct bucket bucket;
	uint64_t full_ms; /* when its bucket is full again */
};

/* An address has its entries for all scopes in one shard, for neighbouring scopes in neighbouring
 * slots: who comes to a listener and goes on to a route finds what was fetched just now. */
struct shard {
	pthread_mutex_t lock;
	struct limit_entry **slot;
	size_t slot_n, used;
	struct list idle;
	struct pool pool;
};

/* There is one while there is a scope. */
struct table {
	struct shard shard[SHARDS];
	uint8_t secret[SIPHASH_KEY_LEN];
};

/* Places and references in one word: the last of both frees the scope. */
#define PLACE     UINT64_C(1)
#define REFERENCE (UINT64_C(1) << 32)

struct limit_scope {
	struct list node; /* registry */
	char *name;
	uint64_t number; /* never used again */
	struct table *table;
	_Atomic uint64_t uses; /* PLACE for each connection, REFERENCE for each holder */
	pthread_mutex_t lock;
	struct bucket bucket; /* lock */
};

static struct {
	pthread_mutex_t lock;
	struct list scopes;
	struct table *table;
	uint64_t serial;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER, .scopes = {&registry.scopes, &registry.scopes}};

static atomic_size_t shard_max = (LIMIT_TABLE_DEFAULT + SHARDS - 1) / SHARDS;

/* ---- settings ---- */

struct limit_exempt *limit_exempt_new(void)
{
	struct limit_exempt *e = mem_new(sizeof *e);
	atomic_init(&e->refs, 1);
	return e;
}

struct limit_exempt *limit_exempt_ref(struct limit_exempt *e)
{
	if (e)
		atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

void limit_exempt_unref(struct limit_exempt *e)
{
	if (!e || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) > 1)
		return;
	cidr_list_fini(&e->list);
	mem_free(e);
}

static bool is_per_address(const struct limit_settings *s)
{
	return s->max_connections_per_address || s->rate_per_address.n;
}

bool limit_is_on(const struct limit_settings *s)
{
	return s->max_connections || s->rate.n || is_per_address(s);
}

static uint64_t per_hour(const struct limit_rate *r)
{
	return (uint64_t)r->n * (BUCKET_TOKEN / r->per_ms);
}

/* ---- the table as a whole ---- */

static struct table *table_new(void)
{
	struct table *t = mem_new(sizeof *t);
	random_bytes(t->secret, sizeof t->secret);
	for (size_t i = 0; i < SHARDS; i++) {
		pthread_mutex_init(&t->shard[i].lock, NULL);
		list_init(&t->shard[i].idle);
		pool_init(&t->shard[i].pool, sizeof(struct limit_entry), ENTRIES_PER_SLAB);
	}
	return t;
}

/* No connection has a place any more, so all that is left is idle. */
static void table_free(struct table *t)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *s = &t->shard[i];
		while (!list_is_empty(&s->idle)) {
			struct limit_entry *e = list_entry(s->idle.next, struct limit_entry, idle);
			list_remove(&e->idle);
			pool_put(&s->pool, e);
		}
		pthread_mutex_destroy(&s->lock);
		pool_fini(&s->pool);
		mem_free(s->slot);
	}
	mem_free(t);
}

void limit_table_resize(size_t max)
{
	atomic_store(&shard_max, (max + SHARDS - 1) / SHARDS);
}

size_t limit_table_used(void)
{
	size_t n = 0;
	pthread_mutex_lock(&registry.lock);
	for (size_t i = 0; registry.table && i < SHARDS; i++) {
		struct shard *s = &registry.table->shard[i];
		pthread_mutex_lock(&s->lock);
		n += s->used;
		pthread_mutex_unlock(&s->lock);
	}
	pthread_mutex_unlock(&registry.lock);
	return n;
}

/* ---- scopes ---- */

static struct limit_scope *find_scope(const char *name)
{
	list_each (it, &registry.scopes) {
		struct limit_scope *s = list_entry(it, struct limit_scope, node);
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

/* Takes the name over. */
static struct limit_scope *new_scope(char *name)
{
	struct limit_scope *s = mem_new(sizeof *s);
	pthread_mutex_init(&s->lock, NULL);
	if (!registry.table)
		registry.table = table_new();
	s->name = name;
	s->number = ++registry.serial;
	s->table = registry.table;
	list_append(&registry.scopes, &s->node);
	return s;
}

struct limit_scope *limit_scope_get(const char *kind, const char *name)
{
	size_t size = strlen(kind) + strlen(name) + 2;
	char *whole = mem_new(size);
	snprintf(whole, size, "%s %s", kind, name);
	pthread_mutex_lock(&registry.lock);
	struct limit_scope *s = find_scope(whole);
	if (s)
		mem_free(whole);
	else
		s = new_scope(whole);
	atomic_fetch_add(&s->uses, REFERENCE);
	pthread_mutex_unlock(&registry.lock);
	return s;
}

struct limit_scope *limit_scope_ref(struct limit_scope *s)
{
	atomic_fetch_add_explicit(&s->uses, REFERENCE, memory_order_relaxed);
	return s;
}

static void free_scope(struct limit_scope *s)
{
	list_remove(&s->node);
	if (list_is_empty(&registry.scopes)) {
		table_free(registry.table);
		registry.table = NULL;
	}
	pthread_mutex_destroy(&s->lock);
	mem_free(s->name);
	mem_free(s);
}

/* The last use goes under the lock, where no other can be found meanwhile. */
static void drop_last(struct limit_scope *s, uint64_t use)
{
	pthread_mutex_lock(&registry.lock);
	if (atomic_fetch_sub(&s->uses, use) == use)
		free_scope(s);
	pthread_mutex_unlock(&registry.lock);
}

static void drop(struct limit_scope *s, uint64_t use)
{
	uint64_t uses = atomic_load_explicit(&s->uses, memory_order_relaxed);
	while (uses != use)
		if (atomic_compare_exchange_weak(&s->uses, &uses, uses - use))
			return;
	drop_last(s, use);
}

void limit_scope_unref(struct limit_scope *s)
{
	if (s)
		drop(s, REFERENCE);
}

static uint32_t places(uint64_t uses)
{
	return (uint32_t)(uses % REFERENCE);
}

uint32_t limit_scope_active(const struct limit_scope *s)
{
	return places(atomic_load(&s->uses));
}

/* A place is a reference as well. */
static bool enter_scope(struct limit_scope *s, uint32_t max)
{
	uint64_t uses = atomic_load_explicit(&s->uses, memory_order_relaxed);
	do {
		if (max && places(uses) >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&s->uses, &uses, uses + PLACE));
	return true;
}

static bool take_from_scope(
        struct limit_scope *s, const struct limit_settings *set, uint64_t now_ms, uint32_t *wait_ms)
{
	if (!set->rate.n)
		return true;
	uint32_t burst = set->burst ? set->burst : set->rate.n;
	pthread_mutex_lock(&s->lock);
	bool ok = bucket_take(&s->bucket, per_hour(&set->rate), burst, now_ms, wait_ms);
	pthread_mutex_unlock(&s->lock);
	return ok;
}

/* ---- addresses ---- */

/* The part of an address that makes one client. False for peers without an address. */
static bool make_key(const struct limit_scope *s, const struct limit_settings *set,
        const struct address_brief *client, struct key *k)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct address_brief a = *client;
	address_brief_unmap(&a);
	if (a.family != AF_INET && a.family != AF_INET6)
		return false;
	*k = (struct key){.scope = s->number};
	if (a.family == AF_INET) {
		memcpy(k->ip, mapped, sizeof mapped);
		memcpy(k->ip + sizeof mapped, a.ip, 4);
		return true;
	}
	uint32_t whole = set->prefix_ipv6 / 8, rest = set->prefix_ipv6 % 8;
	memcpy(k->ip, a.ip, whole);
	if (rest)
		k->ip[whole] = (uint8_t)(a.ip[whole] & 0xff00 >> rest);
	return true;
}

static bool is_limited(const struct limit_scope *s, const struct limit_settings *set,
        const struct address_brief *client, struct key *k)
{
	return client && is_per_address(set) &&
	       !(set->exempt && cidr_list_has(&set->exempt->list, client)) &&
	       make_key(s, set, client, k);
}

static uint32_t hash_of(const struct table *t, const struct key *k)
{
	return (uint32_t)siphash13_16(t->secret, k->ip);
}

/* The shard is in the low bits of the hash, the slot in those above. */
static struct limit_entry **slot_of(struct shard *s, uint32_t hash, uint64_t scope)
{
	return &s->slot[(hash / SHARDS + scope) & (s->slot_n - 1)];
}

static struct limit_entry *find(struct shard *s, uint32_t hash, const struct key *k)
{
	if (!s->slot)
		return NULL;
	for (struct limit_entry *e = *slot_of(s, hash, k->scope); e; e = e->next)
		if (e->hash == hash && memcmp(&e->key, k, sizeof *k) == 0)
			return e;
	return NULL;
}

/* Without memory for more slots the lists get longer. False: there are none at all. */
static bool make_room(struct shard *s)
{
	if (s->used < s->slot_n)
		return true;
	struct shard larger = {.slot_n = s->slot_n ? 2 * s->slot_n : SLOTS_MIN};
	larger.slot = mem_try(larger.slot_n * sizeof larger.slot[0]);
	if (!larger.slot)
		return s->slot != NULL;
	memset(larger.slot, 0, larger.slot_n * sizeof larger.slot[0]);
	for (size_t i = 0; i < s->slot_n; i++) {
		while (s->slot[i]) {
			struct limit_entry *e = s->slot[i];
			s->slot[i] = e->next;
			struct limit_entry **to = slot_of(&larger, e->hash, e->key.scope);
			e->next = *to;
			*to = e;
		}
	}
	mem_free(s->slot);
	s->slot = larger.slot;
	s->slot_n = larger.slot_n;
	return true;
}

/* One that is not in the list of the idle ones. */
static void discard(struct shard *s, struct limit_entry *e)
{
	struct limit_entry **at = slot_of(s, e->hash, e->key.scope);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	pool_put(&s->pool, e);
	s->used--;
}

static void forget(struct shard *s, struct limit_entry *e)
{
	list_remove(&e->idle);
	discard(s, e);
}

static struct limit_entry *longest_idle(struct shard *s)
{
	return list_is_empty(&s->idle) ? NULL : list_entry(s->idle.next, struct limit_entry, idle);
}

/* A new entry, in no list, at the cost of others if need be. NULL: the table is full. */
static struct limit_entry *add(struct shard *s, uint32_t hash, const struct key *k, uint64_t now_ms)
{
	struct limit_entry *e = longest_idle(s);
	for (int i = 0; i < SWEEP_MAX && e && e->full_ms <= now_ms; i++, e = longest_idle(s))
		forget(s, e);
	while (s->used >= atomic_load_explicit(&shard_max, memory_order_relaxed) && e) {
		forget(s, e);
		e = longest_idle(s);
	}
	if (s->used >= atomic_load_explicit(&shard_max, memory_order_relaxed) || !make_room(s) ||
	        !(e = pool_get(&s->pool)))
		return NULL;
	struct limit_entry **slot = slot_of(s, hash, k->scope);
	*e = (struct limit_entry){.next = *slot, .key = *k, .hash = hash};
	*slot = e;
	list_init(&e->idle);
	s->used++;
	return e;
}

/* A connection has left: the entry stays while its bucket has something to remember. */
static void rest(struct shard *s, struct limit_entry *e)
{
	list_remove(&e->idle);
	if (e->full_ms == 0)
		discard(s, e);
	else
		list_append(&s->idle, &e->idle);
}

/* One connection more, at the cost of one handshake if `now_ms` is given. */
static enum limit_verdict enter_entry(struct limit_entry *e, const struct limit_settings *set,
        bool costs, uint64_t now_ms, uint32_t *wait_ms)
{
	uint32_t max = set->max_connections_per_address;
	const struct limit_rate *rate = &set->rate_per_address;
	if (max && e->count >= max)
		return LIMIT_ADDRESS_CONNECTIONS;
	if (costs && rate->n) {
		uint32_t burst = set->burst_per_address ? set->burst_per_address : rate->n;
		if (!bucket_take(&e->bucket, per_hour(rate), burst, now_ms, wait_ms))
			return LIMIT_ADDRESS_RATE;
		e->full_ms = bucket_full_ms(&e->bucket, per_hour(rate));
	}
	e->count++;
	list_remove(&e->idle);
	return LIMIT_OK;
}

static void leave_entry(const struct table *t, struct limit_entry *e)
{
	struct shard *s = (struct shard *)&t->shard[e->hash % SHARDS];
	pthread_mutex_lock(&s->lock);
	assert(e->count > 0);
	if (--e->count == 0)
		rest(s, e);
	pthread_mutex_unlock(&s->lock);
}

struct ask {
	struct limit_scope *scope;
	const struct limit_settings *set;
	uint64_t now_ms;
	bool costs; /* a handshake: the rates count */
};

/* With the shard locked: the address, then all that the scope limits as a whole. */
static struct limit_answer enter_address(struct shard *s, uint32_t hash, const struct key *k,
        const struct ask *ask, struct limit_entry **out)
{
	struct limit_answer a = {.verdict = LIMIT_OK};
	struct limit_entry *e = find(s, hash, k);
	if (!e)
		e = add(s, hash, k, ask->now_ms);
	*out = e;
	if (!e) {
		a.table_full = true;
		return a;
	}
	a.verdict = enter_entry(e, ask->set, ask->costs, ask->now_ms, &a.wait_ms);
	if (a.verdict != LIMIT_OK && e->count == 0)
		rest(s, e);
	return a;
}

/* The scope's own limits refuse what the address was granted. */
static void undo_address(struct shard *s, const struct ask *ask, struct limit_entry *e)
{
	if (ask->costs && ask->set->rate_per_address.n) {
		bucket_return(&e->bucket);
		if (e->bucket.missing == 0)
			e->full_ms = 0;
	}
	if (--e->count == 0)
		rest(s, e);
}

static enum limit_verdict enter_whole(const struct ask *ask, uint32_t *wait_ms)
{
	if (!enter_scope(ask->scope, ask->set->max_connections))
		return LIMIT_CONNECTIONS;
	if (take_from_scope(ask->scope, ask->set, ask->now_ms, wait_ms))
		return LIMIT_OK;
	drop(ask->scope, PLACE);
	return LIMIT_RATE;
}

struct limit_answer limit_enter(struct limit_scope *scope, const struct limit_settings *set,
        const struct address_brief *client, uint64_t now_ms, struct limit_place *place)
{
	struct ask ask = {scope, set, now_ms, true};
	struct limit_answer a = {.verdict = LIMIT_OK};
	struct limit_entry *e = NULL;
	struct key k;
	if (is_limited(scope, set, client, &k)) {
		uint32_t hash = hash_of(scope->table, &k);
		struct shard *s = &scope->table->shard[hash % SHARDS];
		pthread_mutex_lock(&s->lock);
		a = enter_address(s, hash, &k, &ask, &e);
		if (a.verdict == LIMIT_OK) {
			a.verdict = enter_whole(&ask, &a.wait_ms);
			if (a.verdict != LIMIT_OK && e)
				undo_address(s, &ask, e);
		}
		pthread_mutex_unlock(&s->lock);
	} else {
		a.verdict = enter_whole(&ask, &a.wait_ms);
	}
	if (a.verdict == LIMIT_OK)
		*place = (struct limit_place){scope, e};
	return a;
}

struct limit_answer limit_move(struct limit_place *place, const struct limit_settings *set,
        const struct address_brief *client)
{
	struct ask ask = {.scope = place->scope, .set = set};
	struct limit_answer a = {.verdict = LIMIT_OK};
	struct limit_entry *e = NULL;
	struct key k;
	if (is_limited(ask.scope, set, client, &k)) {
		if (place->entry && memcmp(&place->entry->key, &k, sizeof k) == 0)
			return a;
		uint32_t hash = hash_of(ask.scope->table, &k);
		struct shard *s = &ask.scope->table->shard[hash % SHARDS];
		pthread_mutex_lock(&s->lock);
		a = enter_address(s, hash, &k, &ask, &e);
		pthread_mutex_unlock(&s->lock);
		if (a.verdict != LIMIT_OK)
			return a;
	}
	if (place->entry)
		leave_entry(ask.scope->table, place->entry);
	place->entry = e;
	return a;
}

void limit_expect_leave(const struct limit_place *place)
{
	const char *e = (const char *)place->entry;
	if (!e)
		return;
	__builtin_prefetch(e, 1);
	__builtin_prefetch(e + sizeof(struct limit_entry) - 1, 1);
}

void limit_leave(struct limit_place *place)
{
	struct limit_scope *s = place->scope;
	if (!s)
		return;
	if (place->entry)
		leave_entry(s->table, place->entry);
	*place = (struct limit_place){.scope = NULL};
	drop(s, PLACE);
}
