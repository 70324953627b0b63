/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What threads have queued for a channel, and its way to the target. The queues are listed in
 * the channel: any thread adds its own, the one that drains takes out those whose threads are gone.
 * One drains at a time, and so walks the list without its lock: the channel's writer, the control
 * thread, or, while there is no writer, a thread that gives its queue back. */

#include "base/log_channel.h"

/* Gives the calling thread a queue; NULL when memory is short. */
struct log_queue *log_drain_add(struct log_channel *c);
/* Writes what is queued and drops the queues whose threads are gone. False: there was nothing. */
bool log_drain(struct log_channel *c);
/* There is something to write, or a queue to drop. */
bool log_drain_has_work(struct log_channel *c);
/* This queue, or any, holds so much that nothing more should be waited for. */
bool log_drain_is_pressing(const struct log_channel *c, const struct log_queue *q);
bool log_drain_has_pressing_work(struct log_channel *c);
/* When the first count of suppressed lines is to be told (clock_ms); UINT64_MAX: there is none. */
uint64_t log_drain_due(struct log_channel *c);
