/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/names_log.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
	SLOTS = 256, /* two names that share one are told of more often than need be */
	SAME_MS = 1000,
};

/* What was said last: a hash of it, which worker said it, and when. 0 = nothing. */
static _Atomic uint64_t told[SLOTS];

/* FNV-1a */
static uint32_t add(uint32_t h, const void *bytes, size_t len)
{
	for (const uint8_t *at = bytes; len > 0; at++, len--)
		h = (h ^ *at) * 16777619U;
	return h;
}

/* Of all that the line says; the order of what was found does not count. */
static uint32_t hash_of(const char *event, const struct name *n)
{
	uint32_t h = add(n->hash, event, strlen(event)), sum = 0;
	size_t count = n->good ? n->good->n : 0;

	if (n->fails > 0 && n->error)
		h = add(h, n->error, strlen(n->error));
	for (size_t i = 0; i < count && n->kind == NAME_ADDRESSES; i++)
		sum += add(1, n->good->address[i].ip, sizeof(n->good->address[i].ip));
	h = add(h, &sum, sizeof(sum));
	return add(h, &count, sizeof(count));
}

static bool was_told_by_another(uint32_t hash, unsigned worker, uint64_t now_ms)
{
	_Atomic uint64_t *slot = &told[hash % SLOTS];
	uint64_t what = (uint64_t)(hash >> 8) << 40 | (uint64_t)(worker & 0xff) << 32;
	uint64_t mine = what | (uint32_t)now_ms, last = atomic_load(slot);

	do {
		bool is_same = last >> 40 == mine >> 40;
		bool is_mine = (last ^ mine) << 24 >> 56 == 0;
		int32_t age = (int32_t)((uint32_t)now_ms - (uint32_t)last);
		if (last && is_same && !is_mine && age > -SAME_MS && age < SAME_MS)
			return true;
	} while (!atomic_compare_exchange_weak(slot, &last, mine));
	return false;
}

static void put_addresses(struct log_line *l, const struct name *n)
{
	char text[400], one[INET6_ADDRSTRLEN];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n->good->n && len + sizeof(one) < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? "," : "",
		        inet_ntop(n->good->address[i].family, n->good->address[i].ip, one,
		                sizeof(one)));
	log_text(l, "addresses", text);
}

void names_log(enum log_level level, const char *event, const struct name *n, unsigned worker,
        uint64_t now_ms)
{
	struct log_line l;

	if (was_told_by_another(hash_of(event, n), worker, now_ms))
		return;
	log_begin(&l, level, event);
	log_text(&l, "name", n->text);
	if (n->fails > 0)
		log_text(&l, "reason", n->error);
	log_unum(&l, n->fails > 0 ? "kept" : "found", n->good ? n->good->n : 0);
	if (n->fails == 0 && n->kind == NAME_ADDRESSES)
		put_addresses(&l, n);
	log_end(&l);
}
