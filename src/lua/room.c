/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/room.h"

#include <lauxlib.h>

void room_init(struct room *r, lua_State *L)
{
	luaL_checkstack(L, 3, NULL);
	lua_pushnil(L);
	r->L = L;
	r->slot = lua_gettop(L);
	r->at = r->small;
	r->len = 0;
	r->size = sizeof(r->small);
}

static void grow(struct room *r, size_t wanted)
{
	size_t size = r->size * 2 > wanted ? r->size * 2 : wanted;
	char *at = lua_newuserdata(r->L, size);

	memcpy(at, r->at, r->len);
	lua_replace(r->L, r->slot);
	r->at = at;
	r->size = size;
}

char *room_take(struct room *r, size_t len)
{
	if (len > SIZE_MAX / 4 - r->len)
		luaL_error(r->L, "result too large");
	if (len > r->size - r->len)
		grow(r, r->len + len);
	r->len += len;
	return r->at + r->len - len;
}

void room_add(struct room *r, struct slice s)
{
	char *to = room_take(r, s.len);

	if (s.len > 0)
		memcpy(to, s.at, s.len);
}

void room_push(struct room *r)
{
	lua_pushlstring(r->L, r->at, r->len);
}
