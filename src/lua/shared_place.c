/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/shared_place.h"

enum { LOOK_FOR_EXPIRED = 2 }; /* of a shard's least used, when something is stored */

struct place place_of(struct shared_dict *d, struct slice key, uint64_t now_ms)
{
	uint64_t hash = siphash(d->key, key.at, key.len);

	/* The low bits choose the bucket. */
	return (struct place){.dict = d,
	        .shard = &d->shards[hash >> 40 & (d->shard_count - 1)],
	        .key = key,
	        .hash = hash,
	        .now_ms = now_ms};
}

struct shared_entry *place_lock(const struct place *p)
{
	pthread_mutex_lock(&p->shard->lock);
	return shared_table_find(&p->shard->table, p->hash, p->key);
}

void place_unlock(const struct place *p)
{
	pthread_mutex_unlock(&p->shard->lock);
}

bool place_is_live(const struct place *p, const struct shared_entry *e)
{
	return e && !shared_entry_is_over(e, p->now_ms);
}

/* ---- memory ---- */

void shared_give_back(struct shared_dict *d, size_t bytes)
{
	atomic_fetch_sub_explicit(&d->used, bytes, memory_order_relaxed);
}

void shared_take_out(struct shared_dict *d, struct shard *s, struct shared_entry *e)
{
	shared_give_back(d, shared_entry_cost(e));
	shared_table_remove(&s->table, e);
}

/* Pushes the least used out of a shard, but not `spared`, which is only compared. */
static bool push_out(struct shared_dict *d, struct shard *s, const struct shared_entry *spared,
        uint64_t now_ms, bool only_expired, bool *forced)
{
	pthread_mutex_lock(&s->lock);
	struct list *it = s->table.used.next;
	if (it != &s->table.used && list_entry(it, struct shared_entry, used) == spared)
		it = it->next;
	struct shared_entry *e =
	        it == &s->table.used ? NULL : list_entry(it, struct shared_entry, used);
	bool over = e && shared_entry_is_over(e, now_ms);
	if (e && only_expired && !over)
		e = NULL;
	if (e) {
		shared_take_out(d, s, e);
		*forced = *forced || !over;
	}
	pthread_mutex_unlock(&s->lock);
	shared_entry_release(e);
	return e;
}

/* From the key's own shard first, then from the others. */
static bool push_out_any(
        const struct place *p, const struct shared_entry *spared, bool only_expired, bool *forced)
{
	struct shared_dict *d = p->dict;
	unsigned own = (unsigned)(p->shard - d->shards);

	for (unsigned i = 0; i < d->shard_count; i++) {
		struct shard *s = &d->shards[(own + i) & (d->shard_count - 1)];
		if (push_out(d, s, spared, p->now_ms, only_expired, forced))
			return true;
	}
	return false;
}

bool place_reserve(const struct place *p, size_t bytes, const struct shared_entry *spared,
        bool safe, bool *forced)
{
	struct shared_dict *d = p->dict;
	size_t used = atomic_load(&d->used);

	for (;;) {
		if (bytes > d->size)
			return false;
		if (used <= d->size - bytes) {
			if (atomic_compare_exchange_weak(&d->used, &used, used + bytes))
				return true;
			continue;
		}
		if (!push_out_any(p, spared, safe, forced))
			return false;
		used = atomic_load(&d->used);
	}
}

void shared_release_chain(struct shared_entry *e)
{
	while (e) {
		struct shared_entry *next = e->next;
		shared_entry_release(e);
		e = next;
	}
}

/* Collects what has expired among the least used; with the shard locked. */
static struct shared_entry *take_expired(const struct place *p, struct shared_entry *out)
{
	struct shared_table *t = &p->shard->table;

	for (int i = 0; i < LOOK_FOR_EXPIRED && !list_is_empty(&t->used); i++) {
		struct shared_entry *e = list_entry(t->used.next, struct shared_entry, used);
		if (!shared_entry_is_over(e, p->now_ms))
			break;
		shared_take_out(p->dict, p->shard, e);
		e->next = out;
		out = e;
	}
	return out;
}

struct shared_entry *place_lock_clean(const struct place *p, struct shared_entry **over)
{
	pthread_mutex_lock(&p->shard->lock);
	*over = take_expired(p, *over);
	return shared_table_find(&p->shard->table, p->hash, p->key);
}

/* ---- storing ---- */

enum shared_result place_judge(unsigned how, bool live)
{
	if (how & SHARED_ADD && live)
		return SHARED_EXISTS;
	return how & SHARED_REPLACE && !live ? SHARED_NOT_FOUND : SHARED_OK;
}

/* Puts a new entry in the place of an old one, if what was set aside is enough with what the old
 * one took; with the shard locked. Otherwise *missing says what is not. */
static bool put(const struct place *p, struct shared_entry *fresh, struct shared_entry *old,
        size_t *reserved, size_t *missing)
{
	size_t have = *reserved + (old ? shared_entry_cost(old) : 0);
	size_t need = shared_entry_cost(fresh);

	*missing = have < need ? need - have : 0;
	if (*missing > 0)
		return false;
	if (old)
		shared_table_remove(&p->shard->table, old);
	*reserved = have - need;
	if (!shared_table_put(&p->shard->table, fresh)) {
		/* Only the first entry of a table can fail: nothing was there. */
		*missing = SIZE_MAX;
		*reserved += need;
		return false;
	}
	return true;
}

enum shared_result place_insert(
        const struct place *p, unsigned how, struct shared_entry *fresh, bool *forced)
{
	size_t reserved = 0, missing;
	enum shared_result result;
	struct shared_entry *over = NULL, *old;

	for (;;) {
		old = place_lock_clean(p, &over);
		result = place_judge(how, place_is_live(p, old));
		if (result != SHARED_OK)
			break;
		if (put(p, fresh, old, &reserved, &missing)) {
			fresh = old; /* to be released */
			break;
		}
		if (old)
			shared_table_touch(&p->shard->table, old);
		place_unlock(p);
		if (!place_reserve(p, missing, old, how & SHARED_SAFE, forced)) {
			shared_give_back(p->dict, reserved);
			shared_entry_release(fresh);
			shared_release_chain(over);
			return SHARED_NO_MEMORY;
		}
		reserved += missing;
	}
	place_unlock(p);
	shared_give_back(p->dict, reserved);
	shared_entry_release(fresh);
	shared_release_chain(over);
	return result;
}
