/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The members of a group whose servers a name server lists (SRV, RFC 2782). They are
 * looked up for each session, which costs a question only when the last answer's time is
 * over; an answer that is newer than the members replaces them, for all workers. The
 * lowest priority is asked first, all others are backups; weights are the weights.
 * Belongs to the opening that embeds it; one worker's thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_target;
struct resolving;
struct srv;
struct upstream_group;
struct worker;

/* The group has its members, or none and this is why. While it has some, `error` is
 * NULL. */
typedef void (*srv_fn)(struct srv *s, const char *error);

struct srv {
	struct worker *worker;
	struct resolving *resolving; /* NULL = none under way */
	struct upstream_group *group;
	srv_fn fn;
};

/* Of a group with `service`. fn is called later. False when memory is short. */
bool srv_start(struct srv *s, struct worker *w, struct upstream_group *g, srv_fn fn);
/* Also for one that never was started, all zero. */
void srv_cancel(struct srv *s);

/* Makes the targets the group's members unless these came from a later answer; without
 * targets, learnt_ms is that of the answer that is not to be used any longer, 0 = none.
 * False when there is no server: none of the targets is one and none was known before, or
 * those that were are given up. */
bool srv_follow(struct upstream_group *g, const struct dns_target *const *target, size_t n,
        uint64_t learnt_ms);
