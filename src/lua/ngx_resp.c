/* SPDX-License-Identifier: BSD-2-Clause */

/* The answer: ngx.header, ngx.say and its like, ngx.exit, ngx.redirect. */

#include "base/log.h"
#include "lua/args.h"
#include "lua/client.h"
#include "lua/compat.h"
#include "lua/ngx.h"
#include "lua/ngx_log.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <stdio.h>

enum { HEADERS_MAX = 100, NAME_MAX_LEN = 256, STATUS_MIN = 200, URI_LOGGED_MAX = 200 };
/* ngx.AGAIN, ngx.DONE */
enum { EXIT_AGAIN = -2, EXIT_DONE = -4 };

static void complain(lua_State *L, const struct lua_client *c, const char *text)
{
	lua_log_text(LOG_LEVEL_ERROR, L, c->session, slice_str(text));
}

/* What goes out with the head cannot be set any more: that is logged, and no error. */
static bool is_too_late(lua_State *L, const struct lua_client *c, const char *what)
{
	char text[100];
	if (c->answer_state == LUA_ANSWER_NONE && c->request->phase != LUA_PHASE_LOG)
		return false;
	snprintf(text, sizeof text, "attempt to set %s after sending out response headers", what);
	complain(L, c, text);
	return true;
}

/* ---- headers ---- */

/* As it goes over the wire: what scripts write with _ has -, and the type is written as it is where
 * no script sets it. */
static struct slice header_name(lua_State *L, int arg, uint8_t buf[NAME_MAX_LEN])
{
	struct slice name = lua_check_slice(L, arg);
	if (name.len > NAME_MAX_LEN)
		luaL_error(L, "header name too long");
	struct slice type = SLICE("Content-Type");
	name = lua_header_name(buf, name);
	return slice_equal_nocase(name, type) ? type : name;
}

static int push_fields(lua_State *L, const struct lua_client *c, struct slice name)
{
	struct slice found, value;
	if (!lua_answer_get(c, name, 0, &found, &value)) {
		bool is_default = slice_equal_nocase(name, SLICE("Content-Type")) &&
		                  lua_client_has_default_type(c);
		if (is_default)
			lua_pushliteral(L, "text/plain");
		return is_default;
	}
	if (!lua_answer_get(c, name, 1, &found, &value)) {
		lua_answer_get(c, name, 0, &found, &value);
		lua_push_slice(L, value);
		return 1;
	}
	lua_newtable(L);
	for (int i = 0; lua_answer_get(c, name, (size_t)i, &found, &value); i++) {
		lua_push_slice(L, value);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

static int l_index_header(lua_State *L)
{
	uint8_t buf[NAME_MAX_LEN];
	const struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	return push_fields(L, c, header_name(L, 2, buf));
}

/* An empty value is none. */
static void add_value(lua_State *L, struct lua_client *c, struct slice name, int at)
{
	int type = lua_type(L, at), top = lua_gettop(L);
	bool has_words = type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN ||
	                 luaL_getmetafield(L, at, "__tostring");
	if (!has_words)
		luaL_error(L, "attempt to use a %s value as a header", luaL_typename(L, at));
	lua_pushvalue(L, at);
	struct slice value = args_tostring(L, lua_gettop(L));
	if (value.len > 0 && !lua_answer_add(c, name, value))
		luaL_error(L, "the header is too long, or there are too many");
	lua_settop(L, top);
}

/* The last one counts where only one makes sense. */
static bool is_single(struct slice name)
{
	return slice_equal_nocase(name, SLICE("Content-Type")) ||
	       slice_equal_nocase(name, SLICE("Content-Length"));
}

/* A Content-Type that was taken away is not there, not even the usual one. */
static void note_type(struct lua_client *c, struct slice name)
{
	struct slice found, value;
	if (slice_equal_nocase(name, SLICE("Content-Type")))
		c->is_untyped = !lua_answer_get(c, name, 0, &found, &value);
}

static void set_field(lua_State *L, struct lua_client *c, struct slice name, int at)
{
	lua_answer_remove(c, name);
	if (lua_isnil(L, at))
		return;
	if (!lua_istable(L, at)) {
		add_value(L, c, name, at);
		return;
	}
	int n = (int)lua_objlen(L, at);
	for (int i = is_single(name) && n > 0 ? n : 1; i <= n; i++) {
		lua_rawgeti(L, at, i);
		add_value(L, c, name, lua_gettop(L));
		lua_pop(L, 1);
	}
}

static int l_newindex_header(lua_State *L)
{
	uint8_t buf[NAME_MAX_LEN];
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	struct slice name = header_name(L, 2, buf);
	if (name.len == 0)
		return luaL_error(L, "attempt to use an empty header name");
	if (is_too_late(L, c, "ngx.header.HEADER"))
		return 0;
	set_field(L, c, name, 3);
	note_type(c, name);
	return 0;
}

/* ngx.resp.add_header(name, value): beside those that are there. */
static int l_add_header(lua_State *L)
{
	uint8_t buf[NAME_MAX_LEN];
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	struct slice name = header_name(L, 1, buf);
	luaL_checkany(L, 2);
	if (is_too_late(L, c, "ngx.header.HEADER"))
		return 0;
	if (is_single(name)) {
		set_field(L, c, name, 2);
		note_type(c, name);
		return 0;
	}
	for (int i = 1; lua_istable(L, 2) && i <= (int)lua_objlen(L, 2); i++) {
		lua_rawgeti(L, 2, i);
		add_value(L, c, name, lua_gettop(L));
		lua_pop(L, 1);
	}
	if (!lua_istable(L, 2))
		add_value(L, c, name, 2);
	return 0;
}

/* `max` counts what is not the script's too, but one of the script's is always there. */
static int l_get_headers(lua_State *L)
{
	const struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	lua_Integer max = luaL_optinteger(L, 1, HEADERS_MAX);
	bool is_raw = lua_toboolean(L, 2);
	struct lua_answer_field own[LUA_ANSWER_OWN_MAX];
	struct slice name, value;
	size_t owned = lua_answer_own(c, own);
	lua_Integer n = 0, room = max > (lua_Integer)owned ? max - (lua_Integer)owned : 1;
	ngx_req_new_headers(L, 8);
	for (size_t i = 0; i < owned; i++)
		ngx_req_add_header(L, own[i].name, own[i].value, is_raw);
	for (; lua_answer_get(c, SLICE(""), (size_t)n, &name, &value) && (max <= 0 || n < room);
	        n++)
		ngx_req_add_header(L, name, value, is_raw);
	if (!lua_answer_get(c, SLICE(""), (size_t)n, &name, &value))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

/* ---- status ---- */

int ngx_resp_get_status(lua_State *L)
{
	const struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	unsigned status = c->answered ? c->answered : c->status;
	if (!status && c->request->phase == LUA_PHASE_LOG)
		status = handler_status(c->session);
	lua_pushinteger(L, (lua_Integer)status);
	return 1;
}

int ngx_resp_set_status(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	lua_Integer status = luaL_checkinteger(L, 3);
	if (is_too_late(L, c, "ngx.status"))
		return 0;
	if (status < 100 || status > 999)
		return luaL_error(L, "bad status: %d", (int)status);
	c->status = (uint16_t)status;
	return 0;
}

int ngx_resp_headers_sent(lua_State *L)
{
	lua_pushboolean(L, lua_client_of(L, LUA_PHASES_HEAD)->answer_state != LUA_ANSWER_NONE);
	return 1;
}

/* ---- sending ---- */

static const char aborted[] = "client aborted";

static struct lua_client *output_owner(const struct lua_wait *w)
{
	return w->owner;
}

static void on_room(struct lua_output *out)
{
	struct lua_wait *w = out->writer;
	bool is_gone = !out->stream;
	if (!is_gone && stream_is_over(out->stream))
		return;
	out->writer = NULL;
	if (!is_gone)
		lua_pushinteger(w->L, 1);
	lua_wake(w, is_gone ? lua_fail(w->L, aborted) : 1);
}

static void on_empty(struct lua_output *out)
{
	struct lua_wait *w = out->writer;
	bool is_gone = !out->stream;
	if (!is_gone && !queue_is_empty(&out->stream->out))
		return;
	out->writer = NULL;
	if (!is_gone)
		lua_pushinteger(w->L, 1);
	lua_wake(w, is_gone ? lua_fail(w->L, aborted) : 1);
}

static int on_send_timeout(struct lua_wait *w)
{
	output_owner(w)->out.writer = NULL;
	return lua_fail(w->L, "timeout");
}

static void on_send_cancelled(struct lua_wait *w)
{
	output_owner(w)->out.writer = NULL;
}

static const struct lua_wait_ops send_ops = {
        .expire = on_send_timeout, .cancel = on_send_cancelled};

static int wait_for_output(lua_State *L, struct lua_client *c, void (*drained)(struct lua_output *))
{
	struct lua_wait *w = lua_wait_begin(L, &send_ops, c);
	c->out.writer = w;
	c->out.drained = drained;
	return lua_wait(L, w, c->request->settings->send_timeout_ms);
}

/* What a slow client has not taken yet holds the script up, where it can be held up. */
static int sent(lua_State *L, struct lua_client *c, bool ok)
{
	const struct lua_thread *t = lua_thread_of(L);
	if (!ok)
		return lua_fail(L, aborted);
	if (lua_output_is_over(&c->out) && !c->out.writer && !t->is_nested && lua_isyieldable(L))
		return wait_for_output(L, c, on_room);
	lua_pushinteger(L, 1);
	return 1;
}

static int send_text(lua_State *L, struct slice end)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	struct slice v[] = {lua_gather(L, 1, lua_gettop(L)), end};
	if (c->is_raw)
		return lua_fail(L, "raw request socket acquired");
	if (c->answer_state == LUA_ANSWER_ENDED)
		return lua_fail(L, "seen eof");
	return sent(L, c, lua_client_send_body(c, v, 2));
}

static int l_print(lua_State *L)
{
	return send_text(L, SLICE(""));
}

static int l_say(lua_State *L)
{
	return send_text(L, SLICE("\n"));
}

static int l_send_headers(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	if (!lua_client_send_head(c))
		return lua_fail(L, aborted);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_flush(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	bool wait = lua_toboolean(L, 1);
	if (c->is_raw)
		return lua_fail(L, "raw request socket acquired");
	if (c->answer_state == LUA_ANSWER_NONE)
		return lua_fail(L, "nothing to flush");
	if (c->answer_state == LUA_ANSWER_ENDED)
		return lua_fail(L, "seen eof");
	if (wait && !lua_output_is_empty(&c->out) && !c->out.writer)
		return wait_for_output(L, c, on_empty);
	lua_output_flush(&c->out);
	if (!c->out.stream || c->out.error)
		return lua_fail(L, aborted);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_eof(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	if (c->request->phase == LUA_PHASE_LOG)
		return lua_fail(L, "seen eof");
	if (c->is_raw)
		return lua_fail(L, "raw request socket acquired");
	if (c->answer_state == LUA_ANSWER_ENDED)
		return lua_fail(L, "seen eof");
	if (!lua_client_send_end(c))
		return lua_fail(L, aborted);
	lua_output_flush(&c->out);
	lua_pushinteger(L, 1);
	return 1;
}

/* ---- ending ---- */

static int l_exit(lua_State *L)
{
	struct lua_request *r = lua_request_in(L, LUA_PHASES_CLIENT | LUA_PHASE_TIMER);
	int status = (int)luaL_checkinteger(L, 1);
	struct lua_client *c = r->client;
	if (status == EXIT_AGAIN || status == EXIT_DONE)
		return luaL_error(
		        L, "bad argument #1 to 'exit' (does not accept NGX_AGAIN or NGX_DONE)");
	if (c && c->answer_state != LUA_ANSWER_NONE && status >= STATUS_MIN &&
	        status != c->answered && status != 444 && status != 499) {
		char text[120];
		snprintf(text, sizeof text,
		        "attempt to set status %d via ngx.exit after sending out the response "
		        "status %u",
		        status, c->answered);
		complain(L, c, text);
	}
	r->exit_status = status;
	return lua_thread_exit(L);
}

static bool is_redirect(lua_Integer status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Control characters would be fields of their own. */
static void check_uri(lua_State *L, struct slice uri)
{
	luaL_Buffer b;
	size_t at = 0;
	char hex[8];
	while (at < uri.len && uri.at[at] >= 0x20 && uri.at[at] != 0x7f)
		at++;
	if (at == uri.len)
		return;
	luaL_buffinit(L, &b);
	for (size_t i = 0; i < uri.len && i < URI_LOGGED_MAX; i++) {
		uint8_t ch = uri.at[i];
		if (ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\') {
			luaL_addchar(&b, (char)ch);
			continue;
		}
		snprintf(hex, sizeof hex, "\\x%02X", ch);
		luaL_addstring(&b, hex);
	}
	luaL_pushresult(&b);
	snprintf(hex, sizeof hex, "0x%02x", uri.at[at]);
	luaL_error(L, "unsafe byte \"%s\" in redirect uri \"%s\"", hex, lua_tostring(L, -1));
}

static int l_redirect(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	lua_Integer status = luaL_optinteger(L, 2, 302);
	struct slice uri = lua_check_slice(L, 1);
	if (!is_redirect(status))
		return luaL_error(L, "only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, "
		                     "ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and "
		                     "ngx.HTTP_TEMPORARY_REDIRECT are allowed");
	if (c->answer_state != LUA_ANSWER_NONE)
		return luaL_error(L, "attempt to call ngx.redirect after sending out the headers");
	check_uri(L, uri);
	lua_thread_need_yield(L);
	lua_answer_remove(c, SLICE("Location"));
	if (!lua_answer_add(c, SLICE("Location"), uri))
		return luaL_error(L, "the location is empty or too long");
	c->request->exit_status = (int)status;
	return lua_thread_exit(L);
}

static int l_on_abort(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	luaL_checktype(L, 1, LUA_TFUNCTION);
	if (c->on_abort != LUA_NOREF)
		return lua_fail(L, "duplicate call");
	lua_settop(L, 1);
	c->on_abort = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_resp_set_status(lua_State *L)
{
	lua_settop(L, 1);
	lua_insert(L, 1);
	lua_pushnil(L);
	lua_pushvalue(L, 1);
	return ngx_resp_set_status(L);
}

/* resty.core.response: set_resp_header(nil, name, value, beside_others). */
static int l_set_resp_header(lua_State *L)
{
	bool is_added = lua_toboolean(L, 4);
	lua_settop(L, 3);
	if (!is_added)
		return l_newindex_header(L);
	lua_remove(L, 1);
	return l_add_header(L);
}

void ngx_resp_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"say", l_say}, {"print", l_print}, {"flush", l_flush},
	        {"eof", l_eof}, {"send_headers", l_send_headers}, {"exit", l_exit},
	        {"redirect", l_redirect}, {"on_abort", l_on_abort}, {NULL, NULL}};
	static const luaL_Reg module[] = {
	        {"add_header", l_add_header}, {"set_status", l_resp_set_status}, {NULL, NULL}};
	luaL_setfuncs(L, functions, 0);
	lua_newtable(L);
	lua_push_accessors(L, l_index_header, l_newindex_header);
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "header");
	lua_newtable(L);
	lua_pushcfunction(L, l_get_headers);
	lua_setfield(L, -2, "get_headers");
	lua_setfield(L, -2, "resp");
	compat_push_module(L, "resty.core.response");
	lua_pushcfunction(L, l_set_resp_header);
	lua_setfield(L, -2, "set_resp_header");
	lua_pop(L, 1);
	compat_push_module(L, "ngx.resp");
	luaL_setfuncs(L, module, 0);
	lua_pop(L, 1);
}
