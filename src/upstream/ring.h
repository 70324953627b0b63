/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Consistent hashing: each server has its points on a ring, RING_POINTS for each unit
 * of its weight, which follow from its name alone. A key belongs to the next point
 * behind it, so a server that leaves moves only the keys that were its own, and every
 * node with the same servers decides the same. Immutable; any thread. */

#include <stddef.h>
#include <stdint.h>

struct ring;
struct upstream_server;

enum { RING_POINTS = 160 };

struct ring *ring_new(const struct upstream_server *servers, unsigned n);
void ring_free(struct ring *r);
/* The server that the hash belongs to among those in the mask, which is not empty. */
unsigned ring_find(const struct ring *r, uint64_t hash, uint64_t mask);

/* A hash of bytes, the same on every machine. */
uint64_t ring_hash(const void *bytes, size_t len);
