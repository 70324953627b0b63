/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A result that grows while it is made, in memory that is the stack's at first and Lua's later:
 * an error raised meanwhile leaks nothing. One VM's thread. */

#include "base/slice.h"

#include <lua.h>

enum { ROOM_SMALL = 2048 };

struct room {
	lua_State *L;
	int slot; /* of the Lua stack; holds the memory */
	char *at;
	size_t len, size;
	char small[ROOM_SMALL];
};

/* Pushes one value, which stays on the stack as long as the room is used. */
void room_init(struct room *r, lua_State *L);
void room_add(struct room *r, struct slice s);
/* `len` bytes at the end, to be written before anything else is added. */
char *room_take(struct room *r, size_t len);
/* Pushes what was added, as a string. */
void room_push(struct room *r);
