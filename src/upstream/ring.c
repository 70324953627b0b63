/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/ring.h"

#include "base/mem.h"
#include "upstream/group.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct point {
	uint32_t hash;
	uint32_t server;
};

struct ring {
	size_t n;
	struct point point[];
};

/* Every bit of the result depends on every bit of n. */
static uint64_t mix(uint64_t n)
{
	n ^= n >> 32;
	n *= UINT64_C(0xd6e8feb86659fd93);
	n ^= n >> 32;
	n *= UINT64_C(0xd6e8feb86659fd93);
	return n ^ n >> 32;
}

uint64_t ring_hash(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * UINT64_C(0x100000001b3);
	return mix(h);
}

static int by_hash(const void *a, const void *b)
{
	const struct point *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->server < y->server ? -1 : x->server > y->server;
}

struct ring *ring_new(const struct upstream_server *servers, unsigned n)
{
	size_t points = 0;
	for (unsigned i = 0; i < n; i++)
		points += (size_t)servers[i].weight * RING_POINTS;
	struct ring *r = mem_new(sizeof *r + points * sizeof r->point[0]);
	for (unsigned i = 0; i < n; i++) {
		uint64_t name = ring_hash(servers[i].name, strlen(servers[i].name));
		for (uint64_t k = 0; k < (uint64_t)servers[i].weight * RING_POINTS; k++)
			r->point[r->n++] = (struct point){(uint32_t)mix(name + k), i};
	}
	qsort(r->point, r->n, sizeof r->point[0], by_hash);
	return r;
}

void ring_free(struct ring *r)
{
	mem_free(r);
}

/* The first point at or behind the hash; n = behind them all. */
static size_t first_at(const struct ring *r, uint32_t hash)
{
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->point[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

unsigned ring_find(const struct ring *r, uint64_t hash, uint64_t mask)
{
	size_t at = first_at(r, (uint32_t)hash);
	for (size_t i = 0; i < r->n; i++) {
		unsigned server = r->point[(at + i) % r->n].server;
		if (mask >> server & 1)
			return server;
	}
	assert(false);
	return 0;
}
