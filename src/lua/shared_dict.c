/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/shared_dict.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "lua/shared_place.h"

#include <assert.h>
#include <stdlib.h>

enum {
	SHARDS_MAX = 64,
	SHARD_SIZE = 256 << 10, /* of a dictionary's size, for each shard */
	FREED_BY_FLUSH = 3,     /* of a shard's least used, as nginx does */
};

/* ---- names ---- */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list dicts = {&dicts, &dicts};

static struct shared_dict *dict_new(const char *name, size_t size)
{
	unsigned count = 1;

	while (count < SHARDS_MAX && size / SHARD_SIZE >= (size_t)count * 2)
		count *= 2;
	/* malloc() aligns to less than a line of the cache. */
	size_t bytes = sizeof(struct shared_dict) + count * sizeof(struct shard);
	struct shared_dict *d = aligned_alloc(64, (bytes + 63) / 64 * 64);
	assert(d);
	memset(d, 0, bytes);
	d->name = mem_strdup(name);
	d->size = size;
	d->shard_count = count;
	random_bytes(d->key, sizeof(d->key));
	for (unsigned i = 0; i < count; i++) {
		pthread_mutex_init(&d->shards[i].lock, NULL);
		shared_table_init(&d->shards[i].table);
	}
	return d;
}

static void dict_free(struct shared_dict *d)
{
	for (unsigned i = 0; i < d->shard_count; i++) {
		shared_table_fini(&d->shards[i].table);
		pthread_mutex_destroy(&d->shards[i].lock);
	}
	mem_free(d->name);
	free(d);
}

static struct shared_dict *find_named(const char *name)
{
	list_each (it, &dicts) {
		struct shared_dict *d = list_entry(it, struct shared_dict, named);
		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

static void say_resized(const char *name, size_t from, size_t to)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_WARN, "shared_dict_emptied");
	log_text(&l, "name", name);
	log_unum(&l, "size", to);
	log_unum(&l, "size_before", from);
	log_end(&l);
}

static void take_name(struct shared_dict *d)
{
	list_append(&dicts, &d->named);
	d->has_name = true;
}

static void lose_name(struct shared_dict *d)
{
	list_remove(&d->named);
	d->has_name = false;
}

struct shared_dict *shared_dict_get(const char *name, size_t size)
{
	pthread_mutex_lock(&names_lock);
	struct shared_dict *named = find_named(name), *d = named;
	if (!d || d->size != size)
		d = dict_new(name, size);
	if (!named)
		take_name(d);
	atomic_fetch_add(&d->holds, 1);
	pthread_mutex_unlock(&names_lock);
	return d;
}

void shared_dict_use(struct shared_dict *d)
{
	size_t before = 0;

	pthread_mutex_lock(&names_lock);
	struct shared_dict *named = d->has_name ? NULL : find_named(d->name);
	if (named) {
		before = named->size;
		lose_name(named);
	}
	if (!d->has_name)
		take_name(d);
	pthread_mutex_unlock(&names_lock);
	if (before)
		say_resized(d->name, before, d->size);
}

void shared_dict_hold(struct shared_dict *d)
{
	atomic_fetch_add(&d->holds, 1);
}

void shared_dict_put(struct shared_dict *d)
{
	if (!d)
		return;
	/* Under the lock, lest somebody finds it by name meanwhile. */
	pthread_mutex_lock(&names_lock);
	bool last = atomic_fetch_sub(&d->holds, 1) == 1;
	if (last && d->has_name)
		lose_name(d);
	pthread_mutex_unlock(&names_lock);
	if (last)
		dict_free(d);
}

size_t shared_dict_size(const struct shared_dict *d)
{
	return d->size;
}

size_t shared_dict_free_space(const struct shared_dict *d)
{
	size_t used = atomic_load_explicit(&d->used, memory_order_relaxed);

	return used < d->size ? d->size - used : 0;
}

/* ---- values ---- */

void shared_value_release(struct shared_value *v)
{
	shared_block_release(v->held);
	v->held = NULL;
}

static void hand_out(struct shared_value *out, struct shared_entry *e)
{
	*out = (struct shared_value){
	        .type = e->block.type, .number = e->block.number, .flags = e->flags};
	if (e->block.type == SHARED_STRING) {
		shared_block_hold(&e->block);
		out->held = &e->block;
		out->text = shared_entry_text(e);
	}
}

enum shared_result shared_dict_find(struct shared_dict *d, struct slice key, bool stale,
        uint64_t now_ms, struct shared_value *out)
{
	struct place p = place_of(d, key, now_ms);
	enum shared_result result = SHARED_NOT_FOUND;
	struct shared_entry *over = NULL;
	struct shared_entry *e = stale ? place_lock(&p) : place_lock_clean(&p, &over);

	if (e && (stale || place_is_live(&p, e))) {
		shared_table_touch(&p.shard->table, e);
		result = e->block.type == SHARED_LIST ? SHARED_IS_A_LIST : SHARED_OK;
		if (result == SHARED_OK) {
			hand_out(out, e);
			out->stale = !place_is_live(&p, e);
		}
	}
	place_unlock(&p);
	shared_release_chain(over);
	return result;
}

static bool is_scalar(enum shared_type type)
{
	return type == SHARED_BOOL || type == SHARED_NUMBER;
}

/* A number or truth value needs no memory where one was before. Returns false when there was
 * none; otherwise *result says how it went. */
static bool overwrite(const struct place *p, unsigned how, const struct shared_value *v,
        uint64_t expires_ms, enum shared_result *result)
{
	struct shared_entry *over = NULL;
	struct shared_entry *e = place_lock_clean(p, &over);
	bool done = e && is_scalar(e->block.type) && is_scalar(v->type);

	*result = place_judge(how, place_is_live(p, e));
	if (*result != SHARED_OK)
		done = true;
	else if (done) {
		e->block.type = v->type;
		e->block.number = v->number;
		e->expires_ms = expires_ms;
		e->flags = v->flags;
		shared_table_touch(&p->shard->table, e);
	}
	place_unlock(p);
	shared_release_chain(over);
	return done;
}

static void remove_key(const struct place *p)
{
	struct shared_entry *e = place_lock(p);

	if (e)
		shared_take_out(p->dict, p->shard, e);
	place_unlock(p);
	shared_entry_release(e);
}

enum shared_result shared_dict_store(struct shared_dict *d, unsigned how, struct slice key,
        const struct shared_value *value, uint64_t expires_ms, uint64_t now_ms, bool *forced)
{
	struct place p = place_of(d, key, now_ms);
	enum shared_result result;

	*forced = false;
	if (value->type == SHARED_NIL) {
		remove_key(&p);
		return SHARED_OK;
	}
	if ((is_scalar(value->type) || how & (SHARED_ADD | SHARED_REPLACE)) &&
	        overwrite(&p, how, value, expires_ms, &result))
		return result;
	struct shared_entry *fresh =
	        shared_entry_new(key, p.hash, value->type, value->number, value->text);
	if (!fresh)
		return SHARED_NO_MEMORY;
	fresh->expires_ms = expires_ms;
	fresh->flags = value->flags;
	return place_insert(&p, how, fresh, forced);
}

/* Adds to the number that is there. SHARED_NOT_FOUND: there is none. */
static enum shared_result add_to(const struct place *p, double *number)
{
	enum shared_result result = SHARED_NOT_FOUND;
	struct shared_entry *over = NULL;
	struct shared_entry *e = place_lock_clean(p, &over);

	if (place_is_live(p, e)) {
		result = e->block.type == SHARED_NUMBER ? SHARED_OK : SHARED_NOT_A_NUMBER;
		shared_table_touch(&p->shard->table, e);
		if (result == SHARED_OK)
			*number = e->block.number += *number;
	}
	place_unlock(p);
	shared_release_chain(over);
	return result;
}

enum shared_result shared_dict_incr(struct shared_dict *d, struct slice key, double *number,
        const double *init, uint64_t expires_ms, uint64_t now_ms, bool *forced)
{
	struct place p = place_of(d, key, now_ms);

	*forced = false;
	for (;;) {
		enum shared_result result = add_to(&p, number);
		if (result != SHARED_NOT_FOUND || !init)
			return result;
		struct shared_value sum = {.type = SHARED_NUMBER, .number = *init + *number};
		result = shared_dict_store(d, SHARED_ADD, key, &sum, expires_ms, now_ms, forced);
		if (result == SHARED_OK)
			*number = sum.number;
		/* Somebody else may have begun meanwhile. */
		if (result != SHARED_EXISTS)
			return result;
	}
}

/* ---- time ---- */

enum shared_result shared_dict_ttl(
        struct shared_dict *d, struct slice key, uint64_t now_ms, int64_t *left_ms)
{
	struct place p = place_of(d, key, now_ms);
	struct shared_entry *e = place_lock(&p);

	if (e)
		*left_ms = e->expires_ms ? (int64_t)(e->expires_ms - now_ms) : 0;
	place_unlock(&p);
	return e ? SHARED_OK : SHARED_NOT_FOUND;
}

enum shared_result shared_dict_expire(struct shared_dict *d, struct slice key, uint64_t expires_ms)
{
	struct place p = place_of(d, key, 0);
	struct shared_entry *e = place_lock(&p);

	if (e)
		e->expires_ms = expires_ms;
	place_unlock(&p);
	return e ? SHARED_OK : SHARED_NOT_FOUND;
}

void shared_dict_flush_all(struct shared_dict *d)
{
	for (unsigned i = 0; i < d->shard_count; i++) {
		struct shard *s = &d->shards[i];
		struct shared_entry *out = NULL;
		pthread_mutex_lock(&s->lock);
		list_each (it, &s->table.used)
			list_entry(it, struct shared_entry, used)->expires_ms = 1;
		for (int n = 0; n < FREED_BY_FLUSH && !list_is_empty(&s->table.used); n++) {
			struct shared_entry *e =
			        list_entry(s->table.used.next, struct shared_entry, used);
			shared_take_out(d, s, e);
			e->next = out;
			out = e;
		}
		pthread_mutex_unlock(&s->lock);
		shared_release_chain(out);
	}
}

size_t shared_dict_flush_expired(struct shared_dict *d, size_t max, uint64_t now_ms)
{
	size_t freed = 0;

	for (unsigned i = 0; i < d->shard_count; i++) {
		struct shard *s = &d->shards[i];
		struct shared_entry *out = NULL;
		pthread_mutex_lock(&s->lock);
		for (struct list *it = s->table.used.next, *next; it != &s->table.used; it = next) {
			struct shared_entry *e = list_entry(it, struct shared_entry, used);
			next = it->next;
			if (max > 0 && freed == max)
				break;
			if (!shared_entry_is_over(e, now_ms))
				continue;
			shared_take_out(d, s, e);
			e->next = out;
			out = e;
			freed++;
		}
		pthread_mutex_unlock(&s->lock);
		shared_release_chain(out);
	}
	return freed;
}

/* ---- keys ---- */

static bool add_key(struct shared_keys *k, struct shared_entry *e)
{
	if (k->count == k->room) {
		size_t room = k->room ? k->room * 2 : 64;
		struct shared_entry **at = mem_try(room * sizeof(at[0]));
		if (!at)
			return false;
		if (k->count > 0)
			memcpy(at, k->at, k->count * sizeof(at[0]));
		mem_free(k->at);
		k->at = at;
		k->room = room;
	}
	shared_block_hold(&e->block);
	k->at[k->count++] = e;
	return true;
}

bool shared_dict_keys(struct shared_dict *d, size_t max, uint64_t now_ms, struct shared_keys *out)
{
	bool good = true;

	for (unsigned i = 0; i < d->shard_count && good; i++) {
		struct shard *s = &d->shards[i];
		pthread_mutex_lock(&s->lock);
		list_each (it, &s->table.used) {
			struct shared_entry *e = list_entry(it, struct shared_entry, used);
			if (!good || (max > 0 && out->count == max))
				break;
			if (!shared_entry_is_over(e, now_ms))
				good = add_key(out, e);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return good;
}

void shared_keys_release(struct shared_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		shared_block_release(&k->at[i]->block);
	mem_free(k->at);
	*k = (struct shared_keys){0};
}
