/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a worker does while memory is short (base/budget.h): newcomers are refused
 * (admit.h), and whoever fills a queue is not read until it is empty. One log line,
 * memory_short, at the start and one, memory_available, when there was none for a while. */

#include "net/wheel.h"

#include <stdbool.h>
#include <stdint.h>

struct proxy;

struct shortage {
	struct timer end;
	bool is_on;
	uint32_t calm_ms; /* how long without one until it is over */
	uint64_t refused_before;
	unsigned seen; /* budget_shortages() when the sessions were last looked through */
};

void shortage_init(struct proxy *p);
void shortage_fini(struct proxy *p);
/* Memory is short, and somebody is refused for that. */
void shortage_begin(struct proxy *p);
/* Something was queued: the same if memory has become short. Then all are paused whose other
 * side has a queue, once each time. */
void shortage_look(struct proxy *p);
