/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Frames for compiled Lua, which calls these by LuaJIT's FFI: resty_object.c declares them there,
 * in these words. None of them calls Lua. */

#include <stdint.h>

struct lua_frames;

struct lua_fast {
	const char *at; /* the payload, until lua_frames_fast_done() */
	uint32_t len, taken;
};

/* A whole data frame: FIN and opcode as in its first byte, and *out. -1: lua_frames_receive() is to
 * look at what is there. */
int lua_frames_fast_take(struct lua_frames *f, double max, int needs_mask, struct lua_fast *out);
void lua_frames_fast_done(struct lua_frames *f, const struct lua_fast *out);
/* Sends a frame. Returns its bytes; the same as a negative number, when the sender is to wait
 * for room; 0: lua_frames_send() is to do it, or to say why not. */
int lua_frames_fast_put(
        struct lua_frames *f, int first, const char *at, double len, int masked, double max);
