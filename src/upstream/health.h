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

/* Begins to check the groups that want it, of which it takes references. Those that do
 * not, and were checked by an earlier configuration, are believed again. */
struct health *health_new(struct worker *w, struct upstream_group *const *group, size_t n,
        counter *probes, counter *failures);
/* Ends all probes. NULL is fine. Not from within a callback of a probe. */
void health_free(struct health *h);
