/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A token bucket in whole numbers: what is missing from the full one, in parts of a
 * token of which each millisecond brings back a whole number, whatever the rate. So
 * nothing is lost to rounding. All zero: full. The clock is the caller's. */

#include <stdbool.h>
#include <stdint.h>

enum { BUCKET_TOKEN = 3600000 }; /* parts of a token; a rate is of tokens an hour */

struct bucket {
	uint64_t missing; /* parts, at at_ms */
	uint64_t at_ms;
};

/* per_hour: 1 .. 3.6e9, burst: 1 .. 2^32 - 1. True when a token was there, and is taken.
 * Otherwise nothing has changed and *wait_ms tells when there will be one. */
bool bucket_take(
        struct bucket *b, uint64_t per_hour, uint32_t burst, uint64_t now_ms, uint32_t *wait_ms);
/* Puts a token back that was taken just now. */
void bucket_return(struct bucket *b);
/* When it is full again. */
uint64_t bucket_full_ms(const struct bucket *b, uint64_t per_hour);
