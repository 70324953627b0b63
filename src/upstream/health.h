/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Active health checks: every server of a group is probed at its interval. So many bad
 * probes in a row make it unhealthy, so many good ones healthy again, for all workers
 * (server_state.healthy), with one line in the log for each change. One worker does this
 * for all; its thread. */

#include "base/counter.h"

#include <stddef.h>

struct health;
struct upstream_group;
struct worker;

/* Checks nobody at first. */
struct health *health_new(struct worker *w, counter *probes, counter *failures);
/* Checks these groups, as far as they want it, and no others; takes references. A group that
 * was checked already goes on undisturbed. One that took the place of another of its name
 * knows of the servers that both have how their last probes went. Those that are not to be
 * checked, and were by an earlier configuration, are believed again. Not from within a
 * callback of a probe. */
void health_follow(struct health *h, struct upstream_group *const *group, size_t n);
/* Ends all probes. NULL is fine. Not from within a callback of a probe. */
void health_free(struct health *h);
