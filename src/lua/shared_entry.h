/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What lies in a shared dictionary, and the table of one of its shards: found by key, in the order
 * of use. No lock and no limit here: see lua/shared_dict.c. */

#include "base/list.h"
#include "base/slice.h"

#include <stdatomic.h>

enum shared_type { SHARED_NIL, SHARED_BOOL, SHARED_NUMBER, SHARED_STRING, SHARED_LIST };

/* Memory that is freed with its last hold. What a reader holds is never changed. */
struct shared_block {
	atomic_uint holds;
	uint32_t key_len; /* bytes in front of the text */
	size_t cost;      /* what it takes of its dictionary */
	size_t text_len;
	enum shared_type type;
	double number; /* or a truth value */
};

struct shared_entry {
	struct shared_block block;
	struct list used;
	struct shared_entry *next; /* in its bucket */
	uint64_t hash;
	uint64_t expires_ms; /* 0: never */
	int flags;
	struct list elements; /* of a list */
	size_t element_count;
	uint8_t bytes[]; /* key, then text */
};

struct shared_element {
	struct shared_block block;
	struct list list;
	uint8_t bytes[];
};

struct shared_table {
	struct shared_entry **buckets;
	size_t size; /* a power of two, or 0 */
	size_t count;
	struct list used; /* the least used first */
};

/* Both return NULL without memory, and something held once otherwise. */
struct shared_entry *shared_entry_new(
        struct slice key, uint64_t hash, enum shared_type type, double number, struct slice text);
struct shared_element *shared_element_new(enum shared_type type, double number, struct slice text);
void shared_block_hold(struct shared_block *b);
void shared_block_release(struct shared_block *b); /* NULL is fine */
/* Releases it and the elements of its list. */
void shared_entry_release(struct shared_entry *e);

struct slice shared_entry_key(const struct shared_entry *e);
struct slice shared_entry_text(const struct shared_entry *e);
bool shared_entry_is_over(const struct shared_entry *e, uint64_t now_ms);
/* The entry and its list's elements. */
size_t shared_entry_cost(const struct shared_entry *e);

void shared_table_init(struct shared_table *t);
/* Releases all entries. */
void shared_table_fini(struct shared_table *t);
struct shared_entry *shared_table_find(
        const struct shared_table *t, uint64_t hash, struct slice key);
/* Becomes the last used. The key is not in the table. False without memory for a first bucket. */
bool shared_table_put(struct shared_table *t, struct shared_entry *e);
void shared_table_remove(struct shared_table *t, struct shared_entry *e);
void shared_table_touch(struct shared_table *t, struct shared_entry *e);
