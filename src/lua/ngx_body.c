/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.req: the body of the request. */

#include "lua/body.h"
#include "lua/ngx.h"
#include "lua/uri_args.h"
#include "lua/values.h"

#include <lauxlib.h>

enum { ARGS_MAX = 100, REQUEST_TIMEOUT = 408 };

/* The body cannot be had: the answer says why, and the connection ends. */
static void refuse(struct lua_client *c, unsigned status)
{
	c->may_keep_alive = false;
	c->request->exit_status = (int)status;
}

static struct lua_client *client_in(const struct lua_wait *w)
{
	return w->owner;
}

static void on_more(struct lua_input *in)
{
	struct lua_client *c = list_entry(in, struct lua_client, in);
	struct lua_wait *w = in->reader;
	enum lua_body_state state = lua_body_read(c);
	if (state == LUA_BODY_MORE) {
		uint32_t timeout = c->request->settings->body_timeout_ms;
		if (timeout)
			w->deadline_ms = handler_worker(c->session)->now_ms + timeout;
		return;
	}
	if (state == LUA_BODY_DONE) {
		in->reader = NULL;
		c->body->is_whole = true;
		lua_wake(w, 0);
	} else {
		refuse(c, lua_body_status(state));
		lua_request_end(c->request, LUA_EXITED);
	}
}

/* The client has taken too long. nginx answers so, too. */
static int on_expired(struct lua_wait *w)
{
	struct lua_client *c = client_in(w);
	c->in.reader = NULL;
	c->is_body_timed_out = true;
	return 0;
}

static void on_cancelled(struct lua_wait *w)
{
	client_in(w)->in.reader = NULL;
}

static const struct lua_wait_ops wait_ops = {.expire = on_expired, .cancel = on_cancelled};

static int l_read_body(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	if (c->is_raw)
		return luaL_error(L, "raw request socket acquired");
	if (c->has_body_socket)
		return 0;
	if (c->in.reader)
		return luaL_error(L, "request body already being read");
	if (!lua_body_of(c))
		return luaL_error(L, "no memory");
	if (c->body->is_whole || c->is_body_done) {
		c->body->is_whole = true;
		return 0;
	}
	lua_thread_need_yield(L);
	lua_body_expect(c);
	enum lua_body_state state = lua_body_read(c);
	if (state == LUA_BODY_DONE) {
		c->body->is_whole = true;
		return 0;
	}
	if (state != LUA_BODY_MORE) {
		refuse(c, lua_body_status(state));
		return lua_thread_exit(L);
	}
	struct lua_wait *w = lua_wait_begin(L, &wait_ops, c);
	lua_input_await(&c->in, w, on_more);
	return lua_wait(L, w, c->request->settings->body_timeout_ms);
}

/* Wrapped in Lua below, since the time that runs out has to end the request, which only a call
 * that is made anew can do. */
static int l_check_timeout(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	if (!c->is_body_timed_out)
		return 0;
	refuse(c, REQUEST_TIMEOUT);
	return lua_thread_exit(L);
}

/* Never compiled: that would be nothing but calls of C functions, on a larger stack. */
static const char read_source[] = "local read, check = ...\n"
                                  "local function read_body() read() check() end\n"
                                  "jit.off(read_body)\n"
                                  "return read_body\n";

static int l_discard_body(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	c->is_body_discarded |= !c->body;
	return 0;
}

static int l_get_body_data(lua_State *L)
{
	const struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	if (!c->body || !c->body->is_whole || c->body->len == 0)
		lua_pushnil(L);
	else
		lua_pushlstring(L, (const char *)c->body->bytes, c->body->len);
	return 1;
}

static int l_get_body_file(lua_State *L)
{
	lua_client_of(L, LUA_PHASES_HEAD);
	lua_pushnil(L);
	return 1;
}

static int l_get_post_args(lua_State *L)
{
	const struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	int max = (int)ngx_req_max(L, 1, ARGS_MAX);
	bool is_whole = c->body && c->body->is_whole;
	if (!is_whole && !c->is_body_discarded)
		return luaL_error(L,
		        "no request body found; maybe you should turn on lua_need_request_body?");
	struct slice text = is_whole ? slice_of(c->body->bytes, c->body->len) : SLICE("");
	if (uri_args_push(L, text, max))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

void ngx_body_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"discard_body", l_discard_body},
	        {"get_body_data", l_get_body_data}, {"get_body_file", l_get_body_file},
	        {"get_post_args", l_get_post_args}, {NULL, NULL}};
	lua_getfield(L, -1, "req");
	luaL_setfuncs(L, functions, 0);
	if (luaL_loadbuffer(L, read_source, sizeof read_source - 1, "=ngx.req.read_body"))
		lua_error(L);
	lua_pushcfunction(L, l_read_body);
	lua_pushcfunction(L, l_check_timeout);
	lua_call(L, 2, 1);
	lua_setfield(L, -2, "read_body");
	lua_pop(L, 1);
}
