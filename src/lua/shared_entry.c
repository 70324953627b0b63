/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/shared_entry.h"

#include "base/mem.h"

enum {
	ALLOCATION = 16, /* what malloc() takes besides, and rounds up to */
	FIRST_BUCKETS = 16,
};

static size_t cost_of(size_t size)
{
	return (size + 2 * ALLOCATION - 1) / ALLOCATION * ALLOCATION;
}

static void block_init(struct shared_block *b, enum shared_type type, double number, size_t key_len,
        size_t text_len)
{
	atomic_init(&b->holds, 1);
	b->key_len = (uint32_t)key_len;
	b->text_len = text_len;
	b->type = type;
	b->number = number;
}

struct shared_entry *shared_entry_new(
        struct slice key, uint64_t hash, enum shared_type type, double number, struct slice text)
{
	size_t size = sizeof(struct shared_entry) + key.len + text.len;
	struct shared_entry *e = size > text.len ? mem_try(size) : NULL;

	if (!e)
		return NULL;
	block_init(&e->block, type, number, key.len, text.len);
	e->block.cost = cost_of(size) + sizeof(void *); /* and its part of the buckets */
	e->hash = hash;
	e->expires_ms = 0;
	e->flags = 0;
	e->next = NULL;
	e->element_count = 0;
	list_init(&e->used);
	list_init(&e->elements);
	memcpy(e->bytes, key.at, key.len);
	if (text.len > 0)
		memcpy(e->bytes + key.len, text.at, text.len);
	return e;
}

struct shared_element *shared_element_new(enum shared_type type, double number, struct slice text)
{
	size_t size = sizeof(struct shared_element) + text.len;
	struct shared_element *e = size > text.len ? mem_try(size) : NULL;

	if (!e)
		return NULL;
	block_init(&e->block, type, number, 0, text.len);
	e->block.cost = cost_of(size);
	list_init(&e->list);
	if (text.len > 0)
		memcpy(e->bytes, text.at, text.len);
	return e;
}

void shared_block_hold(struct shared_block *b)
{
	atomic_fetch_add_explicit(&b->holds, 1, memory_order_relaxed);
}

void shared_block_release(struct shared_block *b)
{
	if (b && atomic_fetch_sub_explicit(&b->holds, 1, memory_order_acq_rel) == 1)
		mem_free(b);
}

void shared_entry_release(struct shared_entry *e)
{
	if (!e)
		return;
	while (!list_is_empty(&e->elements)) {
		struct shared_element *element =
		        list_entry(e->elements.next, struct shared_element, list);
		list_remove(&element->list);
		shared_block_release(&element->block);
	}
	shared_block_release(&e->block);
}

struct slice shared_entry_key(const struct shared_entry *e)
{
	return slice_of(e->bytes, e->block.key_len);
}

struct slice shared_entry_text(const struct shared_entry *e)
{
	return slice_of(e->bytes + e->block.key_len, e->block.text_len);
}

bool shared_entry_is_over(const struct shared_entry *e, uint64_t now_ms)
{
	return e->expires_ms != 0 && e->expires_ms <= now_ms;
}

size_t shared_entry_cost(const struct shared_entry *e)
{
	size_t cost = e->block.cost;

	list_each (it, &e->elements)
		cost += list_entry(it, struct shared_element, list)->block.cost;
	return cost;
}

/* ---- the table ---- */

void shared_table_init(struct shared_table *t)
{
	*t = (struct shared_table){0};
	list_init(&t->used);
}

void shared_table_fini(struct shared_table *t)
{
	while (!list_is_empty(&t->used)) {
		struct shared_entry *e = list_entry(t->used.next, struct shared_entry, used);
		list_remove(&e->used);
		shared_entry_release(e);
	}
	mem_free(t->buckets);
}

struct shared_entry *shared_table_find(
        const struct shared_table *t, uint64_t hash, struct slice key)
{
	if (t->size == 0)
		return NULL;
	struct shared_entry *e = t->buckets[hash & (t->size - 1)];
	while (e && !(e->hash == hash && slice_equal(shared_entry_key(e), key)))
		e = e->next;
	return e;
}

/* Without memory the chains get longer. */
static void grow(struct shared_table *t)
{
	size_t size = t->size ? t->size * 2 : FIRST_BUCKETS;
	struct shared_entry **buckets = mem_try(size * sizeof(buckets[0]));

	if (!buckets)
		return;
	memset(buckets, 0, size * sizeof(buckets[0]));
	list_each (it, &t->used) {
		struct shared_entry *e = list_entry(it, struct shared_entry, used);
		struct shared_entry **bucket = &buckets[e->hash & (size - 1)];
		e->next = *bucket;
		*bucket = e;
	}
	mem_free(t->buckets);
	t->buckets = buckets;
	t->size = size;
}

bool shared_table_put(struct shared_table *t, struct shared_entry *e)
{
	if (t->count >= t->size)
		grow(t);
	if (t->size == 0)
		return false;
	struct shared_entry **bucket = &t->buckets[e->hash & (t->size - 1)];
	e->next = *bucket;
	*bucket = e;
	list_append(&t->used, &e->used);
	t->count++;
	return true;
}

void shared_table_remove(struct shared_table *t, struct shared_entry *e)
{
	struct shared_entry **at = &t->buckets[e->hash & (t->size - 1)];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	e->next = NULL;
	list_remove(&e->used);
	t->count--;
}

void shared_table_touch(struct shared_table *t, struct shared_entry *e)
{
	list_remove(&e->used);
	list_append(&t->used, &e->used);
}
