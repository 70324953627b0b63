/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Frames for compiled Lua, which calls these by LuaJIT's FFI: resty_object.c declares them there,
 * in these words. None of them calls Lua. */

struct lua_frames;

enum {
	LUA_FAST_MAX = 4096, /* bytes of a payload; so many lie at lua_worker.small */
	LUA_FAST_MASKED = 256,
	LUA_FAST_OTHER = -1,
	LUA_FAST_NOTHING = -2,
};

/* Takes a whole data frame, whose payload lies at the worker's `small` then. Returns 256 times its
 * length, plus its first byte (FIN and opcode). LUA_FAST_NOTHING: nothing of a frame is there, and
 * lua_frames_await() is due. LUA_FAST_OTHER: lua_frames_receive() is to look at what is there. */
int lua_frames_fast_take(struct lua_frames *f, double max);
/* Sends a frame; `first` is its first byte, plus LUA_FAST_MASKED. Returns its bytes; the same as a
 * negative number, when the sender is to wait for room; 0: lua_frames_send() is to do it, or to
 * say why not. */
int lua_frames_fast_put(struct lua_frames *f, int first, const char *at, double len);
