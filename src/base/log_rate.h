/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How many lines of each event a thread may log in a second; what is over is counted.
 * One thread asks and counts, another takes the counts away to write them. No locks. */

#include "base/log.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LOG_RATE_EVENTS = 128, LOG_RATE_SECOND_MS = 1000 };

struct log_rate_event {
	_Atomic(const char *) name; /* of static duration; NULL = free */
	uint64_t since_ms;          /* when the present second began */
	uint32_t n;                 /* lines in it */
	_Atomic uint32_t level;
	_Atomic uint64_t suppressed; /* and not told yet */
	_Atomic uint64_t due_ms;     /* when that is to be told */
};

/* All zero to begin. */
struct log_rate {
	struct log_rate_event event[LOG_RATE_EVENTS];
};

enum log_rate_verdict {
	LOG_RATE_PASS,
	LOG_RATE_SUPPRESSED,
	LOG_RATE_FIRST, /* suppressed, and nothing else waits to be told of this event */
};

/* One more line of the event. The time is of a clock that never jumps. Events that tell
 * of the daemon itself, a line for each of its parts or its ends, always pass. The thread. */
enum log_rate_verdict log_rate_ask(struct log_rate *r, enum log_level level, const char *event,
        uint32_t per_second, uint64_t now_ms);

/* Takes the next count whose second is over (with `all`, any) from *at on, which begins as 0.
 * False: there is none. The other thread. */
struct log_rate_count {
	const char *event;
	enum log_level level;
	uint64_t n;
};
bool log_rate_take(
        struct log_rate *r, unsigned *at, uint64_t now_ms, bool all, struct log_rate_count *out);
/* When the first is due; UINT64_MAX: nothing is suppressed. The other thread. */
uint64_t log_rate_due(const struct log_rate *r);
