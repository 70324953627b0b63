/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Dictionaries that all workers share: what ngx.shared holds.
 *
 * A dictionary has a size, which keys, values and what keeps them count against. What is new
 * pushes out what was not used for longest, after what has expired; a dictionary of 512 KiB or more
 * has shards with a lock each, and the order of use is that of a shard. Each operation
 * is atomic. Values are copied once on their way in, and handed out as they lie there, held. They
 * count in the budget (base/budget.h) too.
 *
 * Any thread. Time is the caller's, in milliseconds that only grow; one clock for all. */

#include "lua/shared_entry.h"

enum { SHARED_KEY_MAX = 65535 };

struct shared_dict;

/* The dictionary of this name and size, made if there is none; holds it once more. When there is
 * one of that name and another size (in a reload), it is a new one, which has the name only once
 * it is used. Never NULL. */
struct shared_dict *shared_dict_get(const char *name, size_t size);
/* It is what its name means from now on. If that was another one, the log says so; who holds that
 * one keeps it. */
void shared_dict_use(struct shared_dict *d);
void shared_dict_hold(struct shared_dict *d);
/* With the last hold all of it is freed. NULL is fine. */
void shared_dict_put(struct shared_dict *d);

size_t shared_dict_size(const struct shared_dict *d);
size_t shared_dict_free_space(const struct shared_dict *d);

enum shared_result {
	SHARED_OK,
	SHARED_NOT_FOUND,
	SHARED_EXISTS,
	SHARED_NO_MEMORY,
	SHARED_NOT_A_NUMBER,
	SHARED_NOT_A_LIST,
	SHARED_IS_A_LIST,
};

/* A value on its way. What was found is held: its text lives until shared_value_release(). */
struct shared_value {
	enum shared_type type;
	double number; /* or a truth value */
	struct slice text;
	int flags;
	bool stale;
	struct shared_block *held;
};

void shared_value_release(struct shared_value *v);

enum shared_how {
	SHARED_ADD = 1,     /* only if there is none */
	SHARED_REPLACE = 2, /* only if there is one */
	SHARED_SAFE = 4,    /* pushes out nothing that has not expired */
};

/* What is stored and until when (0: for ever). SHARED_NIL deletes. *forced is set to whether
 * something was pushed out; a value that could not be stored leaves the old one. */
enum shared_result shared_dict_store(struct shared_dict *d, unsigned how, struct slice key,
        const struct shared_value *value, uint64_t expires_ms, uint64_t now_ms, bool *forced);
/* SHARED_NOT_FOUND, SHARED_IS_A_LIST or a value. `stale`: also one that has expired. */
enum shared_result shared_dict_find(struct shared_dict *d, struct slice key, bool stale,
        uint64_t now_ms, struct shared_value *out);
/* Adds *number, and leaves the sum there. Without a value, begins with *init and that expiry; a
 * NULL init: SHARED_NOT_FOUND. */
enum shared_result shared_dict_incr(struct shared_dict *d, struct slice key, double *number,
        const double *init, uint64_t expires_ms, uint64_t now_ms, bool *forced);

/* *left_ms: what is left, less than 0 when it has expired; 0 for ever. */
enum shared_result shared_dict_ttl(
        struct shared_dict *d, struct slice key, uint64_t now_ms, int64_t *left_ms);
enum shared_result shared_dict_expire(struct shared_dict *d, struct slice key, uint64_t expires_ms);

/* Lists of strings and numbers. *len: the elements afterwards. */
enum shared_result shared_dict_push(struct shared_dict *d, struct slice key, bool front,
        const struct shared_value *value, uint64_t now_ms, size_t *len);
/* SHARED_NOT_FOUND when there is nothing. */
enum shared_result shared_dict_pop(struct shared_dict *d, struct slice key, bool front,
        uint64_t now_ms, struct shared_value *out);
enum shared_result shared_dict_len(
        struct shared_dict *d, struct slice key, uint64_t now_ms, size_t *len);

/* All have expired, but can still be found as stale ones; the three least used of a shard go. */
void shared_dict_flush_all(struct shared_dict *d);
/* Frees those that have expired, at most `max` (0: all). Returns how many. */
size_t shared_dict_flush_expired(struct shared_dict *d, size_t max, uint64_t now_ms);

/* Keys, held; the least used of a shard first. */
struct shared_keys {
	struct shared_entry **at;
	size_t count, room;
};

/* At most `max` (0: all). False without memory: *out then holds some of them. */
bool shared_dict_keys(struct shared_dict *d, size_t max, uint64_t now_ms, struct shared_keys *out);
void shared_keys_release(struct shared_keys *k);
