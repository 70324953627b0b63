/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Simulated streams: the far end is a test or a fuzzer, which decides what
 * arrives, in which pieces, how much each send takes, and when it fails. Same
 * promises as any stream; driven by worker_turn(). */

#include "net/stream.h"

struct stream *sim_new(struct worker *w);
/* The peer sends these bytes as one receive, before the call returns, unless the
 * stream is paused or gone: then false, nothing happened. len <= WORKER_RX_SIZE. */
bool sim_push(struct stream *s, const void *buf, size_t len);
/* The peer ends, or resets: told before the call returns, unless that must wait
 * because the stream is paused. */
void sim_push_eof(struct stream *s);
void sim_push_error(struct stream *s, int error);
/* Sends fail with this errno from now on. */
void sim_fail_sends(struct stream *s, int error);
/* How many bytes further sends take before they fall short; SIZE_MAX at first. What
 * is queued goes out in the next turn. */
void sim_set_window(struct stream *s, size_t bytes);
/* What was sent and taken so far, since the last sim_take(). Owned by the stream. */
struct slice sim_sent(const struct stream *s);
void sim_take(struct stream *s, size_t bytes);
bool sim_saw_shutdown(const struct stream *s);
/* How often it was settled. */
unsigned sim_settles(const struct stream *s);

/* A simulated stream outlives its release until its far end lets go: sim_free(), after
 * the release and not within a callback of the stream. `reset` may be NULL. */
bool sim_is_released(const struct stream *s, bool *reset);
void sim_free(struct stream *s);
