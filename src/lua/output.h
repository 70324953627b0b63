/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The writing half of the client's connection and of every cosocket. What a script sends
 * in one turn leaves in one write: it is collected in a buffer that the worker owns, and goes
 * out when the scheduler has nothing more to run, when another connection's output
 * needs the buffer, or when it is full.
 *
 * While the worker goes from one client of a script straight to the next, what is small of each
 * is put aside, and leaves when that is over: what receiving, Lua and sending need of the
 * processor's caches they then need once for all of them. So nobody waits for longer than the
 * scripts of those who came in the same moment take; the last of them, and one that came alone,
 * for nothing. One worker's thread. */

#include "base/slice.h"
#include "net/stream.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_wait;
struct lua_worker;
struct session;

struct lua_output {
	struct lua_worker *worker;
	struct stream *stream;   /* NULL: it is gone */
	struct session *session; /* of the client, for its counters; NULL: a cosocket */
	struct lua_wait *writer; /* who waits for room, or NULL */
	/* Called when there is a writer and room, or the stream is gone. */
	void (*drained)(struct lua_output *out);
	int error;     /* errno, once sending failed */
	uint32_t late; /* bytes that were put aside; 0 = none */
};

/* Takes the bytes, which are sent at the end of the turn at the latest. False when the
 * connection is gone or has failed. */
bool lua_output_put(struct lua_output *out, const struct slice *v, size_t n);
/* The same for n bytes that are still to be written, at most LUA_OUT_SIZE / 2: where, and
 * lua_output_put_written() says how many it were, and returns what lua_output_is_over() would.
 * Nothing in between. NULL: as above. */
uint8_t *lua_output_room(struct lua_output *out, size_t n);
bool lua_output_put_written(struct lua_output *out, size_t n);
/* Sends what is collected now. */
void lua_output_flush(struct lua_output *out);
/* So much waits that the sender should too. Flushes first when it seems so. */
bool lua_output_is_over(struct lua_output *out);
/* For lua_worker_turn_end(). is_short: what has run took no time to speak of. */
void lua_output_turn_end(struct lua_worker *lw, bool is_short);
/* All was given to the kernel. Flushes first. */
bool lua_output_is_empty(struct lua_output *out);
/* The stream's on_drain, or its end. */
void lua_output_on_drain(struct lua_output *out);
void lua_output_on_end(struct lua_output *out, int error);
/* Forgets what is collected for it. */
void lua_output_fini(struct lua_output *out);
