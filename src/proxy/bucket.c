/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/bucket.h"

static uint64_t ms_for(uint64_t parts, uint64_t per_hour)
{
	return (parts + per_hour - 1) / per_hour;
}

/* The clocks of two workers differ by a turn: one that is behind changes nothing. */
static void refill(struct bucket *b, uint64_t per_hour, uint64_t now_ms)
{
	if (now_ms <= b->at_ms)
		return;
	uint64_t passed = now_ms - b->at_ms;
	b->at_ms = now_ms;
	b->missing = passed > b->missing / per_hour ? 0 : b->missing - passed * per_hour;
}

bool bucket_take(
        struct bucket *b, uint64_t per_hour, uint32_t burst, uint64_t now_ms, uint32_t *wait_ms)
{
	uint64_t size = (uint64_t)burst * BUCKET_TOKEN;
	refill(b, per_hour, now_ms);
	/* A reload may have made it smaller. */
	if (b->missing > size)
		b->missing = size;
	if (b->missing + BUCKET_TOKEN <= size) {
		b->missing += BUCKET_TOKEN;
		return true;
	}
	uint64_t wait = ms_for(b->missing + BUCKET_TOKEN - size, per_hour);
	*wait_ms = wait > UINT32_MAX ? UINT32_MAX : (uint32_t)wait;
	return false;
}

void bucket_return(struct bucket *b)
{
	b->missing = b->missing > BUCKET_TOKEN ? b->missing - BUCKET_TOKEN : 0;
}

uint64_t bucket_full_ms(const struct bucket *b, uint64_t per_hour)
{
	return b->at_ms + ms_for(b->missing, per_hour);
}
