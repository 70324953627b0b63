/* SPDX-License-Identifier: BSD-2-Clause */

/* The methods of the objects that resty.websocket.server and .client make, over native sockets;
 * what is Lua of them is in resty_methods.c. An object is the script's table, whose fields it may
 * read and change. Each method looks there first whether it may do anything, in the order that
 * scripts rely on. */

#include "lua/args.h"
#include "lua/frames.h"
#include "lua/resty.h"
#include "lua/values.h"
#include "ws/header.h"

#include <lauxlib.h>

/* Upvalues of every method: interned names of fields, and what the module is. */
enum {
	UP_FATAL = 1,
	UP_SOCK,
	UP_MAX_RECV,
	UP_MAX_SEND,
	UP_MASK, /* send_masked, send_unmasked */
	UP_CLOSED,
	UP_IS_CLIENT,
	UP_N = UP_IS_CLIENT
};

static const char no_socket[] = "not initialized yet";
static const char is_over[] = "fatal error already happened";

/* What a method finds. */
struct object {
	struct lua_frames *frames; /* NULL: not a native socket */
	bool is_own;               /* slot 1 is a table that new() made: no metamethods are due */
	bool has_sock;
	int sock; /* its slot */
	bool is_fatal, is_client;
};

/* Pushes a field of the object. */
static void get(lua_State *L, const struct object *o, int name)
{
	lua_pushvalue(L, lua_upvalueindex(name));
	if (o->is_own)
		lua_rawget(L, 1);
	else
		lua_gettable(L, 1);
}

static bool is_set(lua_State *L, const struct object *o, int name)
{
	get(L, o, name);
	bool set = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return set;
}

static void make_fatal(lua_State *L, const struct object *o)
{
	lua_pushvalue(L, lua_upvalueindex(UP_FATAL));
	lua_pushboolean(L, 1);
	if (o->is_own)
		lua_rawset(L, 1);
	else
		lua_settable(L, 1);
}

/* `fatal` and `sock`, in this order. For every message, so it pops nothing. */
static void look(lua_State *L, struct object *o)
{
	*o = (struct object){.is_client = lua_toboolean(L, lua_upvalueindex(UP_IS_CLIENT))};
	if (lua_type(L, 1) == LUA_TTABLE) {
		lua_rawgeti(L, 1, RESTY_OBJECT_SLOT);
		o->frames = lua_frames_at(L, -1);
	}
	o->is_own = o->frames;
	get(L, o, UP_FATAL);
	o->is_fatal = lua_toboolean(L, -1);
	if (o->is_fatal)
		return;
	get(L, o, UP_SOCK);
	o->sock = lua_gettop(L);
	o->frames = lua_frames_of(L, o->sock);
	o->has_sock = o->frames || lua_toboolean(L, -1);
	if (o->frames)
		lua_frames_need(L, o->frames);
}

/* ---- receiving ---- */

static int fail3(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 3;
}

static int receive(lua_State *L, bool is_message)
{
	struct object o;
	lua_settop(L, 1);
	look(L, &o);
	if (o.is_fatal)
		return fail3(L, is_over);
	struct lua_frames *f = o.frames;
	if (!f)
		return fail3(L, no_socket);
	if (lua_frames_may_ask(f)) {
		get(L, &o, UP_MAX_RECV);
		f->max_len = luaL_checknumber(L, -1);
		f->needs_mask = !o.is_client;
		f->is_message = is_message || f->whole_messages;
	}
	f->sets_fatal = true;
	lua_frames_hold(L, o.sock);
	return lua_frames_receive(L, f);
}

static int l_recv_frame(lua_State *L)
{
	return receive(L, false);
}

static int l_recv_message(lua_State *L)
{
	return receive(L, true);
}

/* ---- sending ---- */

static int refuse(lua_State *L, const struct object *o, const char *why)
{
	make_fatal(L, o);
	return lua_fail(L, why);
}

/* Whether anything may be sent; else *n results were pushed. */
static bool may_send(lua_State *L, struct object *o, int *n)
{
	look(L, o);
	*n = 2;
	if (o->is_fatal)
		lua_fail(L, is_over);
	else if ((o->is_client && is_set(L, o, UP_CLOSED)) || (o->frames && o->frames->is_answered))
		lua_fail(L, "already closed");
	else if (!o->frames)
		lua_fail(L, no_socket);
	else
		return true;
	return false;
}

static bool is_masked(lua_State *L, const struct object *o)
{
	get(L, o, UP_MASK);
	return lua_toboolean(L, -1) != o->is_client;
}

/* The payload in two pieces, which live as long as the arguments do. */
static int send_payload(
        lua_State *L, struct object *o, bool fin, int opcode, struct slice a, struct slice b)
{
	struct lua_frames *f = o->frames;
	size_t len = a.len + b.len;
	get(L, o, UP_MAX_SEND);
	if ((double)len > luaL_checknumber(L, -1))
		return refuse(L, o, "payload too big");
	if ((opcode & WS_CONTROL) && len > WS_CONTROL_MAX)
		return refuse(L, o, "too much payload for control frame");
	if ((opcode & WS_CONTROL) && !fin)
		return refuse(L, o, "fragmented control frame");
	if (len > INT32_MAX)
		return refuse(L, o, "failed to build frame: payload too big");
	struct lua_frame_out out = {.fin = fin,
	        .masked = is_masked(L, o),
	        .sets_fatal = true,
	        .opcode = (uint8_t)(opcode & WS_OPCODE),
	        .first = (uint8_t)((fin ? WS_FIN : 0) | opcode),
	        .sock = o->sock,
	        .a = a,
	        .b = b};
	int n = lua_frames_send(L, f, &out);
	if (n == 2 && lua_isnil(L, -2))
		make_fatal(L, o);
	return n;
}

static struct slice text_at(lua_State *L, int at)
{
	size_t len;
	if (lua_type(L, at) != LUA_TSTRING)
		return args_text(L, at);
	const char *text = lua_tolstring(L, at, &len);
	return slice_of(text, len);
}

static int send_data(lua_State *L, int opcode)
{
	struct object o;
	int n;
	lua_settop(L, 2);
	if (!may_send(L, &o, &n))
		return n;
	return send_payload(L, &o, true, opcode, text_at(L, 2), SLICE(""));
}

static int l_send_text(lua_State *L)
{
	return send_data(L, WS_TEXT);
}

static int l_send_binary(lua_State *L)
{
	return send_data(L, WS_BINARY);
}

static int l_send_continue(lua_State *L)
{
	return send_data(L, WS_CONTINUATION);
}

static int l_send_ping(lua_State *L)
{
	return send_data(L, WS_PING);
}

static int l_send_pong(lua_State *L)
{
	return send_data(L, WS_PONG);
}

static int l_send_frame(lua_State *L)
{
	struct object o;
	int n;
	lua_settop(L, 4);
	if (!may_send(L, &o, &n))
		return n;
	lua_Integer opcode = luaL_checkinteger(L, 3);
	luaL_argcheck(L, opcode >= 0 && opcode <= UINT8_MAX, 3, "invalid value");
	return send_payload(L, &o, lua_toboolean(L, 2), (int)opcode, text_at(L, 4), SLICE(""));
}

/* ---- closing ---- */

enum { CODE_MAX = 0x7fff };

static struct slice reason(lua_State *L, int at)
{
	size_t len;
	if (!lua_toboolean(L, at))
		return SLICE("");
	const char *text = luaL_checklstring(L, at, &len);
	return slice_of(text, len);
}

/* A client's second close frame is an error, and whatever became of the first, it was one. */
static int close_client(lua_State *L, struct object *o, struct slice code, struct slice text)
{
	if (is_set(L, o, UP_CLOSED))
		return refuse(L, o, "already closed");
	lua_pushvalue(L, lua_upvalueindex(UP_CLOSED));
	lua_pushboolean(L, 1);
	lua_rawset(L, 1);
	if (!o->frames)
		return refuse(L, o, no_socket);
	return send_payload(L, o, true, WS_CLOSE, code, text);
}

/* As LuaJIT's bit operations have it: what no 64 bits can hold, NaN too, is 0. At most CODE_MAX. */
static uint16_t low_bits(double number)
{
	return number > (double)INT64_MIN ? (uint16_t)(int64_t)number : 0;
}

static int l_send_close(lua_State *L)
{
	struct object o;
	uint8_t bytes[2];
	struct slice code = SLICE(""), text = SLICE("");
	int n;
	lua_settop(L, 3);
	if (lua_toboolean(L, 2)) {
		if (lua_type(L, 2) != LUA_TNUMBER || lua_tonumber(L, 2) > CODE_MAX)
			return lua_fail(L, "bad status code");
		uint16_t number = low_bits(lua_tonumber(L, 2));
		bytes[0] = (uint8_t)(number >> 8);
		bytes[1] = (uint8_t)number;
		code = slice_of(bytes, 2);
		text = reason(L, 3);
	}
	if (!lua_toboolean(L, lua_upvalueindex(UP_IS_CLIENT)))
		return may_send(L, &o, &n) ? send_payload(L, &o, true, WS_CLOSE, code, text) : n;
	look(L, &o);
	if (o.is_fatal)
		return lua_fail(L, is_over);
	return close_client(L, &o, code, text);
}

/* ---- the rest ---- */

int resty_frames(lua_State *L)
{
	if (!lua_frames_of(L, 1))
		return 0;
	lua_rawgeti(L, 1, LUA_SOCKET_SLOT);
	return 1;
}

static bool option(lua_State *L, int opts, const char *name)
{
	lua_getfield(L, opts, name);
	bool is_on = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return is_on;
}

void resty_options(lua_State *L, struct lua_frames *f, int opts, int max, bool masks)
{
	f->auto_pong = option(L, opts, "auto_pong");
	f->auto_close = option(L, opts, "auto_close");
	f->checks_utf8 = option(L, opts, "utf8");
	f->whole_messages = option(L, opts, "whole_messages");
	f->masks = masks;
	lua_getfield(L, opts, "max_message_len");
	lua_Number n = lua_isnil(L, -1) ? luaL_checknumber(L, max) : luaL_checknumber(L, -1);
	f->max_message = n < 1 ? 1 : n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* The object's socket, if it is there, not a native one, and the object not done for. */
static int l_foreign(lua_State *L)
{
	struct object o;
	lua_settop(L, 1);
	look(L, &o);
	if (o.is_fatal || !o.has_sock || o.frames)
		return 0;
	lua_settop(L, o.sock);
	return 1;
}

/* (object, frames): compiled code has found nothing to receive. */
static int l_await(lua_State *L)
{
	struct lua_frames *f = lua_touserdata(L, 2);
	if (!lua_frames_is(f) || !lua_frames_may_ask(f))
		return luaL_error(L, "bad request");
	return lua_frames_await(L, f);
}

/* (object, bytes): behind a frame that was sent by compiled code. */
static int l_wait(lua_State *L)
{
	struct lua_frames *f = NULL;
	lua_rawgeti(L, 1, RESTY_OBJECT_SLOT);
	f = lua_frames_at(L, -1);
	if (!f || !f->socket)
		return luaL_error(L, "bad request");
	size_t bytes = (size_t)lua_tonumber(L, 2);
	lua_replace(L, 2);
	lua_settop(L, 2);
	return lua_frames_wait(L, f, bytes);
}

static void add_methods(lua_State *L, const luaL_Reg *methods, int is_client)
{
	const char *names[] = {"fatal", "sock", "max_recv_len", "max_send_len",
	        is_client ? "send_unmasked" : "send_masked", "closed"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		lua_pushstring(L, names[i]);
	lua_pushboolean(L, is_client);
	luaL_setfuncs(L, methods, UP_N);
}

void resty_object_methods(lua_State *L, int is_client)
{
	static const luaL_Reg methods[] = {{"recv_frame", l_recv_frame}, {"send_text", l_send_text},
	        {"send_binary", l_send_binary}, {"send_ping", l_send_ping},
	        {"send_pong", l_send_pong}, {"send_frame", l_send_frame},
	        {"send_close", l_send_close}, {NULL, NULL}};
	static const luaL_Reg of_servers[] = {{"send_continue", l_send_continue}, {NULL, NULL}};
	static const luaL_Reg additions[] = {{"recv_message", l_recv_message}, {NULL, NULL}};
	static const luaL_Reg helpers[] = {
	        {"foreign", l_foreign}, {"await", l_await}, {"wait", l_wait}, {NULL, NULL}};
	add_methods(L, methods, is_client);
	if (!is_client)
		add_methods(L, of_servers, is_client);
	lua_newtable(L); /* metatable */
	lua_newtable(L);
	add_methods(L, additions, is_client);
	lua_newtable(L);
	add_methods(L, helpers, is_client);
	resty_methods(L, is_client);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pushliteral(L, RESTY_VERSION);
	lua_setfield(L, -2, "_VERSION");
}
