/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The inside of lua/shared_dict.h: shards with their locks, and the way of an entry to its place.
 * Who has a shard locked waits for no other lock. */

#include "base/siphash.h"
#include "lua/shared_dict.h"

#include <pthread.h>

struct shard {
	_Alignas(64) pthread_mutex_t lock;
	struct shared_table table;
};

struct shared_dict {
	struct list named; /* in `dicts`, while it has its name */
	bool has_name;
	char *name;
	size_t size;
	_Alignas(64) atomic_size_t used;
	atomic_uint holds;
	uint8_t key[SIPHASH_KEY_LEN];
	unsigned shard_count; /* a power of two */
	struct shard shards[];
};

/* Where a key belongs, and when it is asked for. */
struct place {
	struct shared_dict *dict;
	struct shard *shard;
	struct slice key;
	uint64_t hash, now_ms;
};

struct place place_of(struct shared_dict *d, struct slice key, uint64_t now_ms);
/* What is there, with the shard locked; place_unlock() ends it. */
struct shared_entry *place_lock(const struct place *p);
/* The same after some of what has expired was taken out, which the caller releases as a chain after
 * unlocking: most of what is looked up or stored cleans up a little. */
struct shared_entry *place_lock_clean(const struct place *p, struct shared_entry **over);
void place_unlock(const struct place *p);
/* It is there, and has not expired. */
bool place_is_live(const struct place *p, const struct shared_entry *e);

/* Bytes that are no longer used. */
void shared_give_back(struct shared_dict *d, size_t bytes);
/* With the shard locked; the caller releases the entry after unlocking. */
void shared_take_out(struct shared_dict *d, struct shard *s, struct shared_entry *e);
/* Releases what is linked by `next`. */
void shared_release_chain(struct shared_entry *e);

/* Sets bytes aside; with `safe`, only what has expired goes for them. `spared` stays, and is only
 * compared. No lock is held. */
bool place_reserve(const struct place *p, size_t bytes, const struct shared_entry *spared,
        bool safe, bool *forced);
/* Whether enum shared_how allows a new value. */
enum shared_result place_judge(unsigned how, bool live);
/* Puts the entry into its place and releases the one that was there; or, when it has no place,
 * releases it. */
enum shared_result place_insert(
        const struct place *p, unsigned how, struct shared_entry *fresh, bool *forced);
