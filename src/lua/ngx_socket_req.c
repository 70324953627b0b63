/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.req.socket: the client's connection as it is, or the body of its request. */

#include "lua/body.h"
#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/ngx_socket.h"

#include <errno.h>

struct body_socket {
	struct lua_socket socket;
	struct lua_input content; /* of the body, decoded */
};

void ngx_req_socket_end(struct lua_socket *s)
{
	if (s->kind == LUA_SOCKET_BODY && s->in)
		lua_input_fini(s->in);
	if (s->client && s->request)
		s->client->has_body_socket = false;
	s->client = NULL;
}

/* ---- the body ---- */

static void feed(struct lua_input *in, struct slice piece)
{
	if (piece.len > 0 && !lua_input_serve(in, (uint8_t *)(uintptr_t)piece.at, piece.len))
		in->error = ENOMEM;
}

void ngx_req_socket_pull(struct lua_socket *s)
{
	struct lua_client *c = s->client;
	enum lua_body_state state = LUA_BODY_DONE;
	struct slice piece;
	while (state == LUA_BODY_DONE && !s->in->is_eof) {
		state = lua_body_next(c, SIZE_MAX, &piece);
		if (state == LUA_BODY_DONE)
			feed(s->in, piece);
		s->in->is_eof |= state > LUA_BODY_DONE || c->is_body_done || s->in->error;
	}
	lua_body_release(c);
}

/* The connection is no good for another request when its body was not read to its end: that is
 * lua_client's to see. */
static int push_body(lua_State *L, struct lua_client *c)
{
	if (c->body || c->is_upgraded)
		return lua_fail(L, "request body already exists");
	if (c->is_body_discarded)
		return lua_fail(L, "request body discarded");
	if (c->is_raw)
		return lua_fail(L, "raw request socket acquired");
	if (!lua_body_of(c))
		return lua_fail(L, "no memory");
	if (c->is_body_done) {
		lua_body_free(c);
		return lua_fail(L, "no body");
	}
	struct lua_socket *s = ngx_socket_new(L, LUA_SOCKET_BODY, sizeof(struct body_socket));
	s->in = &((struct body_socket *)(void *)s)->content;
	s->client = c;
	s->is_used = true;
	s->is_read_closed = false;
	ngx_socket_own(s, c->request);
	c->has_body_socket = true;
	lua_body_expect(c);
	return 1;
}

/* ---- the connection ---- */

/* Its address is the key of raw sockets' metatable in the registry. */
static const char raw_key;

int lua_socket_push_raw(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	const char *why = lua_client_take_raw(c);
	if (why)
		return lua_fail(L, why);
	struct lua_socket *s = ngx_socket_new(L, LUA_SOCKET_RAW, sizeof *s);
	s->in = &c->in;
	s->out = &c->out;
	s->client = c;
	s->is_used = true;
	s->is_read_closed = s->is_write_closed = false;
	ngx_socket_own(s, c->request);
	handler_want_bytes(c->session);
	lua_pushlightuserdata(L, (void *)&raw_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_setmetatable(L, -2);
	return 1;
}

/* Its upvalue is the metatable of bodies. */
static int l_socket(lua_State *L)
{
	if (lua_gettop(L) > 1)
		return luaL_error(L, "expecting zero arguments, but got %d", lua_gettop(L));
	if (lua_toboolean(L, 1))
		return lua_socket_push_raw(L);
	int n = push_body(L, lua_client_of(L, LUA_PHASES_CLIENT));
	if (n == 1) {
		lua_pushvalue(L, lua_upvalueindex(1));
		lua_setmetatable(L, -2);
	}
	return n;
}

static void push_meta(lua_State *L, bool is_raw)
{
	lua_createtable(L, 0, 1);
	lua_newtable(L);
	luaL_setfuncs(L, ngx_socket_methods, 0);
	luaL_setfuncs(L, ngx_receive_methods, 0);
	if (!is_raw) {
		lua_pushnil(L);
		lua_setfield(L, -2, "send");
	} else {
		lua_pushcfunction(L, ngx_receive_peek);
		lua_setfield(L, -2, "peek");
	}
	lua_setfield(L, -2, "__index");
}

void ngx_socket_req_open(lua_State *L)
{
	lua_getfield(L, -1, "req");
	lua_pushlightuserdata(L, (void *)&raw_key);
	push_meta(L, true);
	lua_rawset(L, LUA_REGISTRYINDEX);
	push_meta(L, false);
	lua_pushcclosure(L, l_socket, 1);
	lua_setfield(L, -2, "socket");
	lua_pop(L, 1);
}
