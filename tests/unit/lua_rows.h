/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Lua snippets and what they give: an expression, whose values are written out with a comma
 * between, or statements that return what S(...) says. Strings stand in ' with other bytes as
 * <xx>, tables in the order of their keys, an error as `! message`. */

#include <check.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <string.h>

struct lua_row {
	const char *text, *want;
};

static const char lua_rows_show[] =
        "local function key(v)\n"
        "  if type(v) == 'number' then return '0' .. ('%020.6f'):format(v) end\n"
        "  return '1' .. tostring(v)\n"
        "end\n"
        "local function one(v, depth)\n"
        "  local t = type(v)\n"
        "  if t == 'string' then\n"
        "    return \"'\" .. v:gsub('[^%w%p ]', function(c) return ('<%02x>'):format(c:byte()) end)"
        " .. \"'\"\n"
        "  elseif t == 'number' then return ('%.14g'):format(v)\n"
        "  elseif t == 'table' and depth < 4 then\n"
        "    local keys, out = {}, {}\n"
        "    for k in pairs(v) do keys[#keys + 1] = k end\n"
        "    table.sort(keys, function(a, b) return key(a) < key(b) end)\n"
        "    for i, k in ipairs(keys) do\n"
        "      out[i] = (type(k) == 'string' and one(k, 1):sub(2, -2) or one(k, 1)) .. '=' .. "
        "one(v[k], depth + 1)\n"
        "    end\n"
        "    return '{' .. table.concat(out, ',') .. '}'\n"
        "  elseif t == 'nil' or t == 'boolean' then return tostring(v) end\n"
        "  return t\n"
        "end\n"
        "local function show(...)\n"
        "  local out = {}\n"
        "  for i = 1, select('#', ...) do out[i] = one(select(i, ...), 0) end\n"
        "  return #out == 0 and '-' or table.concat(out, ', ')\n"
        "end\n"
        "return function(text)\n"
        "  local f, e = loadstring('local S = ... return function() return (S(' .. text .. ')) "
        "end',"
        " '=t')\n"
        "  if not f then\n"
        "    f, e = loadstring('local S = ... return function() ' .. text .. '\\nend', '=t')\n"
        "  end\n"
        "  if not f then return 'COMPILE ' .. e end\n"
        "  local ok, r = pcall(f(show))\n"
        "  return (ok and '' or '! ') .. tostring(r)\n"
        "end\n";

/* A VM with an empty ngx table on its stack. */
static inline lua_State *lua_rows_new(void)
{
	lua_State *L = luaL_newstate();

	ck_assert_ptr_nonnull(L);
	luaL_openlibs(L);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setglobal(L, "ngx");
	return L;
}

/* Makes `require name` call the loader. */
static inline void lua_rows_preload(lua_State *L, const char *name, lua_CFunction loader)
{
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, loader);
	lua_setfield(L, -2, name);
	lua_pop(L, 2);
}

static inline void lua_rows_run(lua_State *L, const struct lua_row *rows, size_t count)
{
	int top = lua_gettop(L);

	ck_assert_int_eq(luaL_dostring(L, lua_rows_show), 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushvalue(L, -1);
		lua_pushstring(L, rows[i].text);
		if (lua_pcall(L, 1, 1, 0) != 0)
			ck_abort_msg("%s: %s", rows[i].text, lua_tostring(L, -1));
		const char *got = lua_tostring(L, -1);
		if (strcmp(got, rows[i].want) != 0)
			ck_abort_msg("%s\n gives %s\n  want %s", rows[i].text, got, rows[i].want);
		lua_pop(L, 1);
	}
	lua_settop(L, top);
}
