/* SPDX-License-Identifier: BSD-2-Clause */
#include "histogram.h"

/* Values up to twice HISTOGRAM_STEPS have buckets of their own. Above, every power of two
 * has HISTOGRAM_STEPS buckets, each `1 << shift` wide. */
static unsigned shift_of(uint64_t value)
{
	return value < 2 * HISTOGRAM_STEPS ? 0 : 57u - (unsigned)__builtin_clzll(value);
}

static unsigned bucket_of(uint64_t value)
{
	unsigned shift = shift_of(value);

	return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

static uint64_t highest_of(unsigned bucket)
{
	unsigned shift = bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;
	uint64_t step = bucket - shift * HISTOGRAM_STEPS;

	return ((step + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->bucket[bucket_of(value)]++;
	h->count++;
	if (value > h->max)
		h->max = value;
}

uint64_t histogram_quantile(const struct histogram *h, double part)
{
	uint64_t seen = 0, wanted = (uint64_t)(part * (double)h->count);

	if (wanted >= h->count)
		return h->max;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > wanted)
			return highest_of(i) < h->max ? highest_of(i) : h->max;
	}
	return h->max;
}
