/* SPDX-License-Identifier: BSD-2-Clause */

/* ngx.req: the head of the request. */

#include "base/mem.h"
#include "http/writer.h"
#include "lua/args.h"
#include "lua/client.h"
#include "lua/compat.h"
#include "lua/ngx.h"
#include "lua/uri_args.h"
#include "lua/values.h"

#include <lauxlib.h>
#include <stdio.h>

enum { HEADERS_MAX = 100, ARGS_MAX = 100, NAME_MAX_LEN = 256 };

/* ---- reading ---- */

/* The name as the table has it: lower case, unless it is wanted raw. */
static void push_name(lua_State *L, struct slice name, bool is_raw)
{
	char lower[NAME_MAX_LEN];
	if (is_raw || name.len > sizeof lower) {
		lua_push_slice(L, name);
		return;
	}
	for (size_t i = 0; i < name.len; i++)
		lower[i] = (char)ascii_lower(name.at[i]);
	lua_pushlstring(L, lower, name.len);
}

/* Adds a value to the table on top: the second of a name makes an array. */
void ngx_req_add_header(lua_State *L, struct slice name, struct slice value, bool is_raw)
{
	push_name(L, name, is_raw);
	lua_pushvalue(L, -1);
	lua_rawget(L, -3);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_push_slice(L, value);
	} else if (lua_istable(L, -1)) {
		lua_push_slice(L, value);
		lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	} else {
		lua_createtable(L, 4, 0);
		lua_insert(L, -2);
		lua_rawseti(L, -2, 1);
		lua_push_slice(L, value);
		lua_rawseti(L, -2, 2);
	}
	lua_rawset(L, -3);
}

/* A name that is not there may be meant: in other case, or with _ for -. */
static int l_index_headers(lua_State *L)
{
	size_t len;
	const char *key = luaL_checklstring(L, 2, &len);
	char normal[NAME_MAX_LEN];
	if (len > sizeof normal)
		return 0;
	for (size_t i = 0; i < len; i++)
		normal[i] = key[i] == '_' ? '-' : (char)ascii_lower((uint8_t)key[i]);
	lua_pushlstring(L, normal, len);
	lua_rawget(L, 1);
	return 1;
}

static int headers_meta; /* its address is the key in the registry */

static void set_headers_meta(lua_State *L)
{
	lua_pushlightuserdata(L, &headers_meta);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_setmetatable(L, -2);
}

void ngx_req_new_headers(lua_State *L, int n)
{
	lua_createtable(L, 0, n);
	set_headers_meta(L);
}

lua_Integer ngx_req_max(lua_State *L, int arg, lua_Integer standard)
{
	lua_Integer max = luaL_optinteger(L, arg, standard);
	return max < 0 ? standard : max;
}

/* Whoever maps names to variables could not tell these from others: servers ignore them. */
static bool is_hidden(struct slice name)
{
	return memchr(name.at, '_', name.len) != NULL;
}

static int l_get_headers(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	lua_Integer max = ngx_req_max(L, 1, HEADERS_MAX), n = 0;
	bool is_raw = lua_toboolean(L, 2), is_whole = true;
	const struct http_head *h = lua_client_head(c);
	lua_createtable(L, 0, (int)h->n);
	for (size_t i = 0; i < h->n && is_whole; i++) {
		if (is_hidden(h->field[i].name))
			continue;
		is_whole = max == 0 || n < max;
		if (is_whole)
			ngx_req_add_header(L, h->field[i].name, h->field[i].value, is_raw);
		n++;
	}
	if (!is_raw)
		set_headers_meta(L);
	if (is_whole)
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

static int l_get_method(lua_State *L)
{
	lua_push_slice(L, lua_client_head(lua_client_of(L, LUA_PHASES_HEAD))->method);
	return 1;
}

static int l_http_version(lua_State *L)
{
	lua_pushnumber(L, lua_client_of(L, LUA_PHASES_HEAD)->is_http10 ? 1.0 : 1.1);
	return 1;
}

static int l_raw_header(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	struct slice head = c->original ? slice_of(c->original, c->original_len)
	                                : slice_of(c->head, c->head_len);
	if (lua_toboolean(L, 1)) {
		const uint8_t *end = memchr(head.at, '\n', head.len);
		size_t line = (size_t)(end - head.at) + 1;
		head = slice_of(head.at + line, head.len - line);
	}
	lua_push_slice(L, head);
	return 1;
}

static int l_start_time(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)lua_client_of(L, LUA_PHASES_HEAD)->start_ms / 1000);
	return 1;
}

void ngx_req_fill(lua_State *L, int to)
{
	for (lua_pushnil(L); lua_next(L, to); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushnil(L);
		lua_rawset(L, to);
	}
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -2);
		lua_rawset(L, to);
	}
	lua_pop(L, 1);
	lua_pushvalue(L, to);
}

static int l_get_uri_args(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	int max = (int)ngx_req_max(L, 1, ARGS_MAX);
	lua_settop(L, 2);
	bool is_whole = uri_args_push(L, lua_client_head(c)->query, max);
	if (lua_istable(L, 2))
		ngx_req_fill(L, 2);
	if (is_whole)
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

static int l_is_internal(lua_State *L)
{
	lua_client_of(L, LUA_PHASES_HEAD);
	lua_pushboolean(L, 0);
	return 1;
}

/* ---- changing: the head is written anew and read again ---- */

static const char unsound[] = "the request's head would not be sound with this";

struct edit {
	struct slice method, target;
	struct slice drop; /* the field that goes; empty: none */
	struct slice name; /* of the fields that are added */
	int values;        /* the stack's index of a value or an array of them; 0 = none */
};

/* The value on top of the stack, which is taken. An empty one is none. */
static void put_value(lua_State *L, struct http_writer *w, struct slice name)
{
	struct slice value = args_tostring(L, lua_gettop(L));
	char escaped[3];
	while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t'))
		value = slice_of(value.at + 1, value.len - 1);
	if (value.len > 0) {
		http_put(w, name);
		http_put(w, SLICE(": "));
		for (size_t i = 0; i < value.len && !w->overflow; i++)
			http_put(w, slice_of(escaped, lua_header_escape(escaped, value.at[i])));
		http_put(w, SLICE("\r\n"));
	}
	lua_pop(L, 1);
}

static void put_values(lua_State *L, struct http_writer *w, const struct edit *e)
{
	if (!e->values)
		return;
	if (!lua_istable(L, e->values)) {
		lua_pushvalue(L, e->values);
		put_value(L, w, e->name);
		return;
	}
	for (int i = 1; i <= (int)lua_objlen(L, e->values); i++) {
		lua_rawgeti(L, e->values, i);
		put_value(L, w, e->name);
	}
}

static int apply(lua_State *L, struct lua_client *c, const struct edit *e)
{
	uint8_t buf[HTTP_HEAD_MAX];
	struct http_writer w;
	const struct http_head *h = lua_client_head(c);
	http_writer_init(&w, buf, sizeof buf);
	http_put(&w, e->method.len > 0 ? e->method : h->method);
	http_put(&w, SLICE(" "));
	http_put(&w, e->target.len > 0 ? e->target : h->target);
	http_put(&w, h->minor ? SLICE(" HTTP/1.1\r\n") : SLICE(" HTTP/1.0\r\n"));
	for (size_t i = 0; i < h->n; i++)
		if (e->drop.len == 0 || !slice_equal_nocase(h->field[i].name, e->drop))
			lua_client_put_field(&w, &h->field[i]);
	put_values(L, &w, e);
	http_put_end(&w);
	struct http_head parsed;
	struct http_scan scan = {0};
	if (w.overflow || http_parse_request(&parsed, &scan, buf, w.len) != (ssize_t)w.len)
		return luaL_error(L, unsound);
	uint8_t *bytes = mem_try(w.len);
	if (!bytes)
		return luaL_error(L, "no memory");
	memcpy(bytes, buf, w.len);
	lua_client_set_head(c, bytes, w.len);
	return 0;
}

static struct slice check_name(lua_State *L, char buf[NAME_MAX_LEN])
{
	struct slice name = lua_check_slice(L, 1);
	if (!http_is_token(name) || name.len > NAME_MAX_LEN)
		luaL_error(L, "bad header name");
	memcpy(buf, name.at, name.len);
	return slice_of(buf, name.len);
}

static int l_set_header(lua_State *L)
{
	char buf[NAME_MAX_LEN];
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	if (lua_gettop(L) < 1)
		return luaL_error(L, "expecting two arguments, but seen 0");
	struct slice name = check_name(L, buf);
	struct edit e = {.drop = name, .name = name, .values = lua_toboolean(L, 2) ? 2 : 0};
	return apply(L, c, &e);
}

static int l_add_header(lua_State *L)
{
	char buf[NAME_MAX_LEN];
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	struct edit e = {.name = check_name(L, buf), .values = 2};
	luaL_checkany(L, 2);
	return apply(L, c, &e);
}

static int l_clear_header(lua_State *L)
{
	char buf[NAME_MAX_LEN];
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	struct edit e = {.drop = check_name(L, buf)};
	return apply(L, c, &e);
}

/* resty.core.request: set_req_header(name, value, instead_of_others). */
static int l_set_req_header(lua_State *L)
{
	bool is_only = lua_toboolean(L, 3);
	lua_settop(L, 2);
	return is_only ? l_set_header(L) : l_add_header(L);
}

/* By number, as ngx.HTTP_GET and the like are. */
static const struct {
	int number;
	const char *name;
} methods[] = {{2, "GET"}, {4, "HEAD"}, {8, "POST"}, {16, "PUT"}, {32, "DELETE"}, {64, "MKCOL"},
        {128, "COPY"}, {256, "MOVE"}, {512, "OPTIONS"}, {1024, "PROPFIND"}, {2048, "PROPPATCH"},
        {4096, "LOCK"}, {8192, "UNLOCK"}, {16384, "PATCH"}, {32768, "TRACE"}};

static int l_set_method(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	int number = (int)luaL_checkinteger(L, 1);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (methods[i].number == number) {
			struct edit e = {.method = slice_str(methods[i].name)};
			return apply(L, c, &e);
		}
	}
	return luaL_error(L, "unsupported HTTP method: %d", number);
}

static int set_target(lua_State *L, struct slice path, struct slice query)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	char target[HTTP_TARGET_MAX];
	if (query.len > 0 && memchr(query.at, '\0', query.len))
		return luaL_error(L, unsound);
	int n = snprintf(target, sizeof target, "%.*s%s%.*s", (int)path.len, (const char *)path.at,
	        query.len > 0 ? "?" : "", (int)query.len, (const char *)query.at);
	if (n <= 0 || n >= (int)sizeof target)
		return luaL_error(L, "the target would be too long");
	struct edit e = {.target = slice_of(target, (size_t)n)};
	return apply(L, c, &e);
}

static int l_set_uri(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	struct slice path = lua_check_slice(L, 1);
	char target[HTTP_TARGET_MAX];
	if (path.len == 0)
		return luaL_error(L, "attempt to use zero-length uri");
	if (lua_toboolean(L, 2))
		return luaL_error(L, "API disabled in the context of %s",
		        lua_phase_context(c->request->phase));
	size_t len = uri_escaped_len(path, URI_PATH);
	if (len > sizeof target)
		return luaL_error(L, "the target would be too long");
	uri_escape(target, path, URI_PATH);
	return set_target(L, slice_of(target, len), lua_client_head(c)->query);
}

void ngx_req_set_args(lua_State *L, struct lua_client *c, struct slice args)
{
	set_target(L, lua_client_head(c)->path, args);
}

static int l_set_uri_args(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	if (lua_istable(L, 1)) {
		uri_args_write(L, 1);
		lua_replace(L, 1);
	}
	ngx_req_set_args(L, c, lua_check_slice(L, 1));
	c->is_args_written = true;
	return 0;
}

void ngx_req_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"get_headers", l_get_headers},
	        {"get_method", l_get_method}, {"http_version", l_http_version},
	        {"raw_header", l_raw_header}, {"start_time", l_start_time},
	        {"get_uri_args", l_get_uri_args}, {"get_query_args", l_get_uri_args},
	        {"is_internal", l_is_internal}, {"set_header", l_set_header},
	        {"add_header", l_add_header}, {"clear_header", l_clear_header},
	        {"set_method", l_set_method}, {"set_uri", l_set_uri},
	        {"set_uri_args", l_set_uri_args}, {NULL, NULL}};
	lua_pushlightuserdata(L, &headers_meta);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, l_index_headers);
	lua_setfield(L, -2, "__index");
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_setfield(L, -2, "req");
	compat_push_module(L, "resty.core.request");
	lua_pushcfunction(L, l_set_req_header);
	lua_setfield(L, -2, "set_req_header");
	lua_pop(L, 1);
}
