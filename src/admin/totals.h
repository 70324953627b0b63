/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The sums of all counters of all workers, as one log line. Control thread; the
 * workers may still run. */

#include "base/counter.h"
#include "base/log.h"

#include <stddef.h>

struct proxy;
struct worker;

/* Of the daemon as a whole. */
#define DAEMON_COUNTERS(X)                                   \
	X(reloads, "configurations that a reload took over") \
	X(reloads_failed, "reloads that were refused, and changed nothing")
struct daemon_counters {
	DAEMON_COUNTERS(COUNTER_FIELD)
};
extern const struct counter_info daemon_counter_info[];
extern const unsigned daemon_counter_n;

/* `totals accepted=12 ... log_lost=0`: the counters of net/, proxy/ and the daemon, each with
 * its name, zero or not. */
void totals_log(const struct worker *const *workers, const struct proxy *const *proxies, size_t n,
        const struct daemon_counters *daemon);

/* Adds a table's sums to a line. sets[i] points at the counters of worker i, in the
 * order of the table. */
void totals_add(struct log_line *l, const struct counter_info *info, unsigned counters,
        const counter *const *sets, size_t n);
