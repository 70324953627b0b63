/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Bytes that came on a connection and were not asked for yet; the reading half of the
 * client's connection and of every cosocket. One reader at a time. One worker's thread.
 *
 * While a read is being served, its bytes lie in the worker's receive buffer, and
 * whoever reads takes them there, without a copy; only what nobody took when that is over is kept
 * here. */

#include "base/slice.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_wait;

enum { LUA_INPUT_UNIT = 64 }; /* of lua_input.max */

struct lua_input {
	uint8_t *fresh; /* what is being served, NULL else; may be changed in place */
	size_t fresh_len;
	uint8_t *kept; /* start .. end are unread */
	uint32_t start, end, size;
	uint32_t want; /* so many bytes the reader waits for, if it knows: room is made ahead */
	struct lua_wait *reader; /* who waits for bytes, or NULL */
	/* Called while there is a reader, when something came: looks, takes, and when it has
	 * what it wants clears `reader` and wakes it. */
	void (*more)(struct lua_input *in);
	/* Called by lua_input_take() once there is room again, if is_paused. */
	void (*resume)(struct lua_input *in);
	int error;      /* errno, once the connection has failed; 0 else */
	bool is_paused; /* the owner has stopped its stream, because too much was kept */
	bool is_eof;    /* no more will come (also after an error) */
	uint16_t max;   /* kept without a reader, in units; with more the stream pauses */
};

/* All unread bytes in one piece, which may be changed in place. When some were kept, what is fresh
 * is appended to them. False when memory is short. */
bool lua_input_view(struct lua_input *in, uint8_t **at, size_t *len);
/* The first n of them were used. */
void lua_input_take(struct lua_input *in, size_t n);
static inline size_t lua_input_len(const struct lua_input *in)
{
	return in->fresh_len + in->end - in->start;
}
/* Nothing is there, and more may come. */
static inline bool lua_input_is_empty(const struct lua_input *in)
{
	return in->fresh_len == 0 && in->start == in->end && !in->is_eof;
}
/* lua_socket_buffer_size: 64 bytes to 1 MiB. */
static inline void lua_input_set_max(struct lua_input *in, uint32_t bytes)
{
	in->max = (uint16_t)(bytes / LUA_INPUT_UNIT);
}
static inline bool lua_input_is_over(const struct lua_input *in)
{
	return !in->reader && in->end - in->start > (uint32_t)in->max * LUA_INPUT_UNIT;
}
/* w waits for bytes, more than there are: `more` is called with those that come. */
void lua_input_await(struct lua_input *in, struct lua_wait *w, void (*more)(struct lua_input *in));
/* For the owner of the stream: bytes are served. What is left when this returns was kept; false
 * when there was no memory for that. */
bool lua_input_serve(struct lua_input *in, uint8_t *buf, size_t len);
/* No more will come. */
void lua_input_end(struct lua_input *in, int error);
void lua_input_fini(struct lua_input *in);
/* The worker's thread has no more connections. */
void lua_input_drop_spare(void);
/* Pushes nil and why nothing more can be read: `closed`, or the error's words in lower
 * case. Returns 2. */
int lua_input_push_end(lua_State *L, const struct lua_input *in);
/* `connection reset by peer`: errno in the words of LuaSocket. */
void lua_push_errno(lua_State *L, int error);
