/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Counts of times in buckets whose width grows with the time, so that every quantile is
 * known to 1 part in 64 and no sample is kept. */

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = 60 * HISTOGRAM_STEPS };

struct histogram {
	uint64_t count, max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
/* The value that `part` (0..1) of the samples do not pass; 0 without samples. */
uint64_t histogram_quantile(const struct histogram *h, double part);
