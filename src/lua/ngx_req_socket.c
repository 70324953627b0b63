/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.req.socket(true): the client's connection as a cosocket. One coroutine may read while
 * another writes. */

#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/ngx_log.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

enum pattern { PATTERN_SIZE, PATTERN_LINE, PATTERN_ALL, PATTERN_ANY };

/* In Lua's memory; whoever waits in one of its methods keeps it. */
struct socket {
	struct lua_client *client; /* NULL: its request has ended */
	struct lua_cleanup cleanup;
	uint64_t read_timeout_ms, send_timeout_ms;
	uint64_t want;   /* of what is being received */
	uint8_t pattern; /* enum pattern */
};

static const char meta_name[] = "ngx.req.socket";

static void forget_client(struct lua_cleanup *c)
{
	list_entry(c, struct socket, cleanup)->client = NULL;
}

static struct socket *check(lua_State *L)
{
	struct socket *s = luaL_checkudata(L, 1, meta_name);
	if (!s->client || s->client->request != lua_request_of(L))
		luaL_error(L, "bad request");
	return s;
}

static int fail(lua_State *L, const char *why)
{
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

/* ---- receiving ---- */

/* What is there, as far as it is wanted: the third value of a failure. */
static int push_partial(lua_State *L, const struct socket *s)
{
	struct lua_input *in = &s->client->in;
	uint8_t *at;
	size_t len;
	if (!lua_input_view(in, &at, &len) || !lua_vm_has_room(L, len))
		len = 0;
	if (s->pattern == PATTERN_SIZE && len > s->want)
		len = (size_t)s->want;
	lua_pushlstring(L, (const char *)at, len);
	lua_input_take(in, len);
	return 1;
}

static int push_line(lua_State *L, struct lua_input *in, const uint8_t *at, size_t len)
{
	luaL_Buffer b;
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < len; i++)
		if (at[i] != '\r')
			luaL_addchar(&b, (char)at[i]);
	luaL_pushresult(&b);
	lua_input_take(in, len + 1);
	return 1;
}

static int push_bytes(lua_State *L, struct lua_input *in, const uint8_t *at, size_t len)
{
	if (!lua_vm_has_room(L, len))
		return fail(L, "no memory");
	lua_pushlstring(L, (const char *)at, len);
	lua_input_take(in, len);
	return 1;
}

/* Pushes the results, if they can be had now, and returns their number; 0: not yet. */
static int try_receive(lua_State *L, struct socket *s)
{
	struct lua_input *in = &s->client->in;
	const uint8_t *end;
	uint8_t *at;
	size_t len;
	if (!lua_input_view(in, &at, &len))
		return fail(L, "no memory");
	switch ((enum pattern)s->pattern) {
	case PATTERN_SIZE:
		if (len >= s->want)
			return push_bytes(L, in, at, (size_t)s->want);
		break;
	case PATTERN_ANY:
		if (len > 0)
			return push_bytes(L, in, at, len < s->want ? len : (size_t)s->want);
		break;
	case PATTERN_LINE:
		end = len > 0 ? memchr(at, '\n', len) : NULL;
		if (end)
			return push_line(L, in, at, (size_t)(end - at));
		break;
	case PATTERN_ALL:
		if (in->is_eof && !in->error)
			return push_bytes(L, in, at, len);
		break;
	}
	if (!in->is_eof)
		return 0;
	lua_input_push_end(L, in);
	return 2 + push_partial(L, s);
}

static void on_more(struct lua_input *in)
{
	struct lua_wait *w = in->reader;
	int n = try_receive(w->L, w->owner);
	if (n == 0)
		return;
	in->reader = NULL;
	lua_wake(w, n);
}

static int on_read_timeout(struct lua_wait *w)
{
	struct socket *s = w->owner;
	struct lua_client *c = s->client;
	c->in.reader = NULL;
	if (c->request->settings->log_errors)
		lua_log_text(
		        LOG_LEVEL_ERROR, NULL, c->session, SLICE("lua tcp socket read timed out"));
	fail(w->L, "timeout");
	return 2 + push_partial(w->L, s);
}

static void on_read_cancelled(struct lua_wait *w)
{
	((struct socket *)w->owner)->client->in.reader = NULL;
}

static const struct lua_wait_ops read_ops = {
        .expire = on_read_timeout, .cancel = on_read_cancelled};

static int receive(lua_State *L, struct socket *s, enum pattern pattern, lua_Number want)
{
	struct lua_input *in = &s->client->in;
	if (in->reader)
		return fail(L, "socket busy reading");
	s->pattern = (uint8_t)pattern;
	s->want = (uint64_t)want;
	int n = try_receive(L, s);
	if (n > 0)
		return n;
	struct lua_wait *w = lua_wait_begin(L, &read_ops, s);
	lua_input_wait(in, w, on_more);
	return lua_wait(L, w, s->read_timeout_ms);
}

static int l_receive(lua_State *L)
{
	struct socket *s = check(L);
	if (lua_type(L, 2) == LUA_TNUMBER) {
		lua_Number n = lua_tonumber(L, 2);
		luaL_argcheck(L, n >= 0 && n < 1e15, 2, "bad pattern argument");
		return receive(L, s, PATTERN_SIZE, n);
	}
	const char *pattern = luaL_optstring(L, 2, "*l");
	if (strcmp(pattern, "*l") == 0)
		return receive(L, s, PATTERN_LINE, 0);
	if (strcmp(pattern, "*a") == 0)
		return receive(L, s, PATTERN_ALL, 0);
	return luaL_argerror(L, 2, "bad pattern argument");
}

static int l_receiveany(lua_State *L)
{
	struct socket *s = check(L);
	lua_Number max = luaL_checknumber(L, 2);
	luaL_argcheck(L, max >= 1 && max < 1e15, 2, "bad max argument");
	return receive(L, s, PATTERN_ANY, max);
}

/* ---- sending ---- */

static void on_room(struct lua_output *out)
{
	struct lua_wait *w = out->writer;
	struct socket *s = w->owner;
	if (out->stream && stream_is_over(out->stream))
		return;
	out->writer = NULL;
	if (out->stream) {
		lua_pushnumber(w->L, (lua_Number)s->client->sending);
		lua_wake(w, 1);
		return;
	}
	lua_pushnil(w->L);
	lua_push_errno(w->L, out->error);
	lua_wake(w, 2);
}

/* What was sent in part is of no use: nginx closes the socket, too. */
static int on_send_timeout(struct lua_wait *w)
{
	struct lua_client *c = ((struct socket *)w->owner)->client;
	c->out.writer = NULL;
	c->out.error = ETIMEDOUT;
	c->is_mid_frame = true;
	return fail(w->L, "timeout");
}

static void on_send_cancelled(struct lua_wait *w)
{
	((struct socket *)w->owner)->client->out.writer = NULL;
}

static const struct lua_wait_ops send_ops = {
        .expire = on_send_timeout, .cancel = on_send_cancelled};

static int l_send(lua_State *L)
{
	struct socket *s = check(L);
	struct lua_client *c = s->client;
	struct slice v = lua_gather_array(L, 2);
	if (c->out.writer)
		return fail(L, "socket busy writing");
	if (!lua_client_send_raw(c, &v, 1)) {
		lua_pushnil(L);
		if (c->out.error && c->out.error != ETIMEDOUT)
			lua_push_errno(L, c->out.error);
		else
			lua_pushliteral(L, "closed");
		return 2;
	}
	if (lua_output_is_over(&c->out)) {
		struct lua_wait *w = lua_wait_begin(L, &send_ops, s);
		c->out.writer = w;
		c->out.drained = on_room;
		c->sending = v.len;
		return lua_wait(L, w, s->send_timeout_ms);
	}
	lua_pushnumber(L, (lua_Number)v.len);
	return 1;
}

/* ---- timeouts ---- */

static uint64_t timeout_of(lua_State *L, int arg, uint64_t otherwise)
{
	lua_Number ms = luaL_optnumber(L, arg, 0);
	luaL_argcheck(L, ms >= 0 && ms < 1e15, arg, "bad timeout value");
	return ms > 0 ? (uint64_t)ms : otherwise;
}

static int l_settimeout(lua_State *L)
{
	struct socket *s = check(L);
	const struct handler_settings *set = s->client->request->settings;
	s->read_timeout_ms = timeout_of(L, 2, set->read_timeout_ms);
	s->send_timeout_ms = timeout_of(L, 2, set->send_timeout_ms);
	return 0;
}

static int l_settimeouts(lua_State *L)
{
	struct socket *s = check(L);
	const struct handler_settings *set = s->client->request->settings;
	s->send_timeout_ms = timeout_of(L, 3, set->send_timeout_ms);
	s->read_timeout_ms = timeout_of(L, 4, set->read_timeout_ms);
	return 0;
}

static int l_socket(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASE_CONTENT);
	if (!lua_toboolean(L, 1))
		return luaL_error(L, "only ngx.req.socket(true) is there");
	const char *wrong = lua_client_take_raw(c);
	if (wrong)
		return fail(L, wrong);
	struct socket *s = lua_newuserdata(L, sizeof *s);
	*s = (struct socket){.client = c,
	        .cleanup = {.run = forget_client},
	        .read_timeout_ms = c->request->settings->read_timeout_ms,
	        .send_timeout_ms = c->request->settings->send_timeout_ms};
	list_init(&s->cleanup.node);
	luaL_getmetatable(L, meta_name);
	lua_setmetatable(L, -2);
	lua_request_cleanup(c->request, &s->cleanup);
	return 1;
}

/* Collected before its request has ended. */
static int l_gc(lua_State *L)
{
	struct socket *s = lua_touserdata(L, 1);
	list_remove(&s->cleanup.node);
	return 0;
}

void ngx_req_socket_open(lua_State *L)
{
	static const luaL_Reg methods[] = {{"receive", l_receive}, {"receiveany", l_receiveany},
	        {"send", l_send}, {"settimeout", l_settimeout}, {"settimeouts", l_settimeouts},
	        {NULL, NULL}};
	luaL_newmetatable(L, meta_name);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, l_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
	lua_getfield(L, -1, "req");
	lua_pushcfunction(L, l_socket);
	lua_setfield(L, -2, "socket");
	lua_pop(L, 1);
}
