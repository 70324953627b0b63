/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_re.h"

#include "lua/args.h"
#include "lua/ngx_re_sub.h"
#include "lua/re_vm.h"

#include <math.h>

enum { CTX = 4 }; /* the argument */

/* Where the search begins by ctx.pos, which counts from 1; `none`: there is no ctx. */
static size_t begin_at(lua_State *L, bool *none)
{
	*none = !re_call_table(L, CTX, "ctx");
	if (*none)
		return 0;
	lua_getfield(L, CTX, "pos");
	if (lua_toboolean(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
		luaL_error(L, "attempt to compare %s with number", luaL_typename(L, -1));
	lua_Number pos = lua_tonumber(L, -1);
	lua_pop(L, 1);
	if (!(pos > 1))
		return 0;
	return pos < (lua_Number)(SIZE_MAX >> 12) ? (size_t)(pos - 1) : SIZE_MAX >> 12;
}

static void set_pos(lua_State *L, const struct re_call *c)
{
	lua_pushnumber(L, (lua_Number)c->spans[1] + 1);
	lua_setfield(L, CTX, "pos");
}

static int match(lua_State *L)
{
	struct re_call c;
	bool no_ctx;

	lua_settop(L, 5);
	if (!re_call_init(&c, L)) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	int rc = re_call_exec(&c, begin_at(L, &no_ctx));
	if (rc < 0) {
		re_call_end(&c);
		lua_pushnil(L);
		if (rc == REGEX_NO_MATCH)
			return 1;
		re_call_push_error(L, rc);
		return 2;
	}
	if (!no_ctx)
		set_pos(L, &c);
	if (re_call_table(L, 5, "res")) {
		lua_pushvalue(L, 5);
	} else {
		lua_createtable(L, (int)c.regex->captures, 1 + (int)c.regex->name_count);
	}
	re_call_fill(&c, L);
	re_call_end(&c);
	return 1;
}

static int find_error(lua_State *L)
{
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushvalue(L, -3);
	return 3;
}

static int push_place(lua_State *L, const struct re_call *c, lua_Number nth)
{
	if (nth > c->regex->captures) {
		lua_pushliteral(L, "nth out of bound");
		return find_error(L);
	}
	size_t group = nth > 0 ? (size_t)nth : 0;
	if (c->spans[2 * group] == REGEX_UNSET) {
		lua_pushnil(L);
		lua_pushnil(L);
	} else {
		lua_pushnumber(L, (lua_Number)c->spans[2 * group] + 1);
		lua_pushnumber(L, (lua_Number)c->spans[2 * group + 1]);
	}
	return 2;
}

static int find(lua_State *L)
{
	struct re_call c;
	bool no_ctx;

	lua_settop(L, 5);
	if (lua_toboolean(L, 5) && lua_type(L, 5) != LUA_TNUMBER)
		return luaL_error(L, "attempt to compare %s with number", luaL_typename(L, 5));
	lua_Number nth = lua_tonumber(L, 5);
	if (!re_call_init(&c, L))
		return find_error(L);
	int rc = re_call_exec(&c, begin_at(L, &no_ctx));
	int results = 1;
	if (rc == REGEX_NO_MATCH) {
		lua_pushnil(L);
	} else if (rc < 0) {
		re_call_push_error(L, rc);
		results = find_error(L);
	} else {
		if (!no_ctx)
			set_pos(L, &c);
		results = push_place(L, &c, nth);
	}
	re_call_end(&c);
	return results;
}

/* ---- one match after the other ---- */

/* An iterator's upvalues behind those of the VM. */
enum { SUBJECT = RE_VM_UPVALUES + 1, PATTERN, NEXT };

static void set_next(lua_State *L, const struct re_call *c, size_t next)
{
	if (next <= c->subject.len)
		lua_pushnumber(L, (lua_Number)next);
	else
		lua_pushnil(L);
	lua_replace(L, lua_upvalueindex(NEXT));
}

/* Pushes the next match as a table; false: nil and perhaps an error. */
static bool step(lua_State *L, struct re_call *c)
{
	lua_settop(L, 0);
	if (lua_isnil(L, lua_upvalueindex(NEXT))) {
		lua_pushnil(L);
		return false;
	}
	size_t from = (size_t)lua_tonumber(L, lua_upvalueindex(NEXT));
	re_call_resume(c, L, lua_upvalueindex(SUBJECT), lua_upvalueindex(PATTERN));
	c->again = from > 0;
	int rc = re_call_exec(c, from);
	if (rc < 0) {
		set_next(L, c, SIZE_MAX);
		re_call_end(c);
		lua_settop(L, 0);
		lua_pushnil(L);
		if (rc != REGEX_NO_MATCH)
			re_call_push_error(L, rc);
		return false;
	}
	size_t next = re_call_next(c);
	/* Who comes here meanwhile, from a finalizer, finds an end, and not the pattern to be
	 * freed. */
	set_next(L, c, SIZE_MAX);
	lua_createtable(L, (int)c->regex->captures, 1 + (int)c->regex->name_count);
	re_call_fill(c, L);
	set_next(L, c, next);
	if (next > c->subject.len)
		re_call_end(c);
	return true;
}

static int gmatch_step(lua_State *L)
{
	struct re_call c;

	return step(L, &c) ? 1 : lua_gettop(L);
}

/* The same with the place of the match behind it. */
static int walk_step(lua_State *L)
{
	struct re_call c;

	if (!step(L, &c))
		return lua_gettop(L);
	lua_pushnumber(L, (lua_Number)c.spans[0] + 1);
	lua_pushnumber(L, (lua_Number)c.spans[1]);
	return 3;
}

/* Pushes the iterator, or nil and an error. */
static bool push_iterator(lua_State *L, lua_CFunction next)
{
	struct re_call c;

	lua_settop(L, 3);
	if (!re_call_init(&c, L)) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return false;
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 4); /* the pattern */
	lua_pushnumber(L, 0);
	lua_pushcclosure(L, next, NEXT);
	return true;
}

static int gmatch(lua_State *L)
{
	return push_iterator(L, gmatch_step) ? 1 : 2;
}

/* For replacing by a function: the iterator and the subject as text. */
static int walk(lua_State *L)
{
	if (!push_iterator(L, walk_step))
		return 2;
	lua_pushvalue(L, 1);
	return 2;
}

/* A function that replaces may wait for something, so it must be called from Lua.
 * Arguments: the plain sub, walk, and what the loop needs of the standard library. */
static const char by_function[] = "local plain, walk, type, tostring, cut, concat = ...\n"
                                  "local function replace_by(f, subject, regex, opts, global)\n"
                                  "  local step, text = walk(subject, regex, opts)\n"
                                  "  if not step then return nil, nil, text end\n"
                                  "  local out, count, copied = {}, 0, 1\n"
                                  "  repeat\n"
                                  "    local found, from, to = step()\n"
                                  "    if not found then\n"
                                  "      if from then return nil, nil, from end\n"
                                  "      break\n"
                                  "    end\n"
                                  "    out[2 * count + 1] = cut(text, copied, from - 1)\n"
                                  "    out[2 * count + 2] = tostring(f(found))\n"
                                  "    count, copied = count + 1, to + 1\n"
                                  "  until not global\n"
                                  "  if count == 0 then return text, 0 end\n"
                                  "  out[2 * count + 1] = cut(text, copied)\n"
                                  "  return concat(out), count\n"
                                  "end\n"
                                  "local function make(global)\n"
                                  "  return function(subject, regex, replace, opts)\n"
                                  "    if type(replace) == 'function' then\n"
                                  "      return replace_by(replace, subject, regex, opts, global)\n"
                                  "    end\n"
                                  "    return plain(subject, regex, opts, replace, global)\n"
                                  "  end\n"
                                  "end\n"
                                  "return make(false), make(true)\n";

static void push_function(lua_State *L, lua_CFunction f)
{
	re_vm_push(L);
	lua_pushcclosure(L, f, RE_VM_UPVALUES);
}

/* Sets sub and gsub in the table on top of the stack. */
static void open_sub(lua_State *L)
{
	if (luaL_loadbuffer(L, by_function, sizeof(by_function) - 1, "=ngx.re") != 0)
		lua_error(L);
	push_function(L, ngx_re_plain_sub);
	push_function(L, walk);
	lua_getglobal(L, "type");
	lua_getglobal(L, "tostring");
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "sub");
	lua_remove(L, -2);
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "concat");
	lua_remove(L, -2);
	lua_call(L, 6, 2);
	lua_setfield(L, -3, "gsub");
	lua_setfield(L, -2, "sub");
}

void ngx_re_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"match", match},
	        {"find", find},
	        {"gmatch", gmatch},
	        {NULL, NULL},
	};

	lua_createtable(L, 0, 5);
	re_vm_push(L);
	luaL_setfuncs(L, functions, RE_VM_UPVALUES);
	open_sub(L);
	lua_setfield(L, -2, "re");
}
