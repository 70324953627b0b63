/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_var.h"

/* ngx.var: what nginx calls variables. A few families are named by their beginning (arg_, http_,
 * ...), the others stand in tables. Scripts may set those that no request has of itself;
 * `upstream` and `upstream_server` of these choose where an access script's request goes. */

#include "base/mem.h"
#include "lua/args.h"
#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/uri_args.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <lauxlib.h>

enum { NAME_MAX_LEN = 256 };

/* ---- families ---- */

/* All lines of that name, joined as nginx does. */
static void push_header(lua_State *L, struct lua_client *c, struct slice rest)
{
	uint8_t buf[NAME_MAX_LEN];
	const struct http_head *h = lua_client_head(c);
	struct slice name = lua_header_name(buf, rest);
	int n = 0;
	bool is_cookie = slice_equal_nocase(name, SLICE("Cookie"));
	for (size_t i = 0; i < h->n; i++) {
		if (!slice_equal_nocase(h->field[i].name, name))
			continue;
		if (n > 0)
			lua_pushstring(L, is_cookie ? "; " : ", ");
		lua_push_slice(L, h->field[i].value);
		if (n++ > 0)
			lua_concat(L, 3);
	}
}

static void push_sent_header(lua_State *L, struct lua_client *c, struct slice rest)
{
	uint8_t buf[NAME_MAX_LEN];
	struct lua_answer_field own[LUA_ANSWER_OWN_MAX];
	struct slice found, value, name = lua_header_name(buf, rest);
	size_t owned = lua_answer_own(c, own);
	for (size_t i = 0; i < owned; i++) {
		if (slice_equal_nocase(name, own[i].name)) {
			lua_push_slice(L, own[i].value);
			return;
		}
	}
	if (lua_answer_get(c, name, 0, &found, &value))
		lua_push_slice(L, value);
}

/* The argument as it stands in the query, without decoding: as nginx has it. */
static void push_arg(lua_State *L, struct lua_client *c, struct slice rest)
{
	struct slice query = lua_client_head(c)->query;
	const uint8_t *at = query.at, *end = query.at + query.len;
	while (at && at < end) {
		const uint8_t *next = memchr(at, '&', (size_t)(end - at));
		size_t len = (size_t)((next ? next : end) - at);
		const uint8_t *equals = memchr(at, '=', len);
		size_t name = equals ? (size_t)(equals - at) : len;
		if (equals && slice_equal_nocase(slice_of(at, name), rest)) {
			lua_push_slice(L, slice_of(equals + 1, len - name - 1));
			return;
		}
		at = next ? next + 1 : end;
	}
}

static void push_cookie(lua_State *L, struct lua_client *c, struct slice rest)
{
	const struct http_head *h = lua_client_head(c);
	for (size_t i = 0; i < h->n; i++) {
		struct slice v = h->field[i].value;
		if (!slice_equal_nocase(h->field[i].name, SLICE("Cookie")))
			continue;
		while (v.len > 0) {
			const uint8_t *end = memchr(v.at, ';', v.len);
			size_t len = end ? (size_t)(end - v.at) : v.len;
			const uint8_t *equals = memchr(v.at, '=', len);
			size_t name = equals ? (size_t)(equals - v.at) : 0;
			if (equals && slice_equal_nocase(slice_of(v.at, name), rest)) {
				lua_push_slice(L, slice_of(equals + 1, len - name - 1));
				return;
			}
			len += end != NULL;
			while (len < v.len && v.at[len] == ' ')
				len++;
			v = slice_of(v.at + len, v.len - len);
		}
	}
}

static const struct {
	const char *prefix;
	void (*push)(lua_State *L, struct lua_client *c, struct slice rest);
} families[] = {
        {"http_", push_header},
        {"arg_", push_arg},
        {"cookie_", push_cookie},
        {"sent_http_", push_sent_header},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* ---- by name ---- */

static const struct ngx_var_table *const tables[] = {
        &ngx_var_request, &ngx_var_connection, &ngx_var_certificate};

static const struct ngx_var *find_variable(struct slice name)
{
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		for (size_t k = 0; k < tables[i]->n; k++)
			if (slice_equal(slice_str(tables[i]->var[k].name), name))
				return &tables[i]->var[k];
	return NULL;
}

static bool push_builtin(lua_State *L, struct lua_client *c, struct slice name)
{
	const struct ngx_var *var = find_variable(name);
	if (var) {
		if (var->print)
			ngx_var_push_printed(L, c, var->print);
		else
			var->push(L, c);
		return true;
	}
	for (size_t i = 0; i < FAMILIES; i++) {
		struct slice prefix = slice_str(families[i].prefix);
		if (slice_starts_with(name, prefix) && name.len > prefix.len) {
			families[i].push(
			        L, c, slice_of(name.at + prefix.len, name.len - prefix.len));
			return true;
		}
	}
	return false;
}

static int l_index(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	if (lua_type(L, 2) == LUA_TNUMBER)
		return 0; /* no captures of a regular expression */
	struct slice name = lua_check_slice(L, 2);
	int before = lua_gettop(L);
	if (name.len > NAME_MAX_LEN)
		return 0;
	if (push_builtin(L, c, name))
		return lua_gettop(L) > before;
	if (c->vars == LUA_NOREF)
		return 0;
	lua_rawgeti(L, LUA_REGISTRYINDEX, c->vars);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	return 1;
}

static bool is_builtin(struct slice name)
{
	if (find_variable(name))
		return true;
	for (size_t i = 0; i < FAMILIES; i++)
		if (slice_starts_with(name, slice_str(families[i].prefix)))
			return true;
	return false;
}

static void choose_group(lua_State *L, struct lua_client *c, struct slice name)
{
	struct upstream_group *group = lua_handlers_group(c->vm->set, name);
	if (!group)
		luaL_error(L, "there is no [upstream %s]", lua_tostring(L, 3));
	c->group = group;
}

static void choose_server(lua_State *L, struct lua_client *c, struct slice name)
{
	char *copy = mem_try(name.len + 1);
	if (!copy)
		luaL_error(L, "no memory");
	memcpy(copy, name.at, name.len);
	copy[name.len] = '\0';
	mem_free(c->server);
	c->server = copy;
}

/* nil takes the choice back. */
static void choose(lua_State *L, struct lua_client *c, struct slice name)
{
	bool is_nil = lua_isnil(L, 3);
	if (slice_equal(name, SLICE("upstream"))) {
		if (is_nil)
			c->group = NULL;
		else
			choose_group(L, c, lua_check_slice(L, 3));
	} else if (slice_equal(name, SLICE("upstream_server"))) {
		if (!is_nil) {
			choose_server(L, c, lua_check_slice(L, 3));
			return;
		}
		mem_free(c->server);
		c->server = NULL;
	}
}

static int set_args(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_CLIENT);
	bool is_nil = lua_isnil(L, 3);
	ngx_req_set_args(L, c, is_nil ? SLICE("") : args_tostring(L, 3));
	c->is_args_written = !is_nil;
	return 0;
}

static int l_newindex(lua_State *L)
{
	struct lua_client *c = lua_client_of(L, LUA_PHASES_HEAD);
	struct slice name = lua_check_slice(L, 2);
	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return luaL_error(L, "bad variable name");
	if (slice_equal(name, SLICE("args")))
		return set_args(L);
	if (is_builtin(name))
		return luaL_error(L, "variable \"%s\" not changeable", lua_tostring(L, 2));
	if (!lua_isnil(L, 3))
		args_tostring(L, 3);
	if (c->request->phase == LUA_PHASE_ACCESS)
		choose(L, c, name);
	if (c->vars == LUA_NOREF) {
		lua_newtable(L);
		c->vars = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, c->vars);
	lua_pushvalue(L, 2);
	if (lua_isnil(L, 3)) {
		lua_pushnil(L);
	} else {
		lua_pushvalue(L, 3);
		lua_tostring(L, -1);
	}
	lua_rawset(L, -3);
	return 0;
}

void ngx_var_open(lua_State *L)
{
	lua_newtable(L);
	lua_push_accessors(L, l_index, l_newindex);
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, "var");
}
