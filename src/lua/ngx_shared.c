/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_shared.h"

#include "base/clock.h"
#include "lua/args.h"
#include "lua/finalizers.h"
#include "lua/values.h"

#include <math.h>

/* A dictionary is a table with a handle at 1 and the methods behind its metatable, as in ngx_lua.
 * The upvalues of each method: the handles' metatable, and what the VM holds. */
enum { HANDLE_META = 1, HOLDING, UPVALUES = HOLDING };

struct handle {
	struct shared_dict *dict;
};

/* What is being copied into Lua: released when that is done or, if an error ended it, later. */
struct holding {
	struct shared_value value;
	struct shared_keys keys;
};

static uint64_t (*now_ms)(void) = clock_ms;

void ngx_shared_set_clock(uint64_t (*ms)(void))
{
	now_ms = ms;
}

static void let_go(struct holding *h)
{
	if (h->value.held)
		shared_value_release(&h->value);
	if (h->keys.at)
		shared_keys_release(&h->keys);
}

static struct holding *holding_of(lua_State *L)
{
	struct holding *h = lua_touserdata(L, lua_upvalueindex(HOLDING));

	let_go(h);
	return h;
}

/* ---- arguments ---- */

static struct shared_dict *dict_at_1(lua_State *L)
{
	if (lua_istable(L, 1)) {
		lua_rawgeti(L, 1, 1);
		struct handle *h = lua_touserdata(L, -1);
		if (h && lua_getmetatable(L, -1)) {
			bool ours = lua_rawequal(L, -1, lua_upvalueindex(HANDLE_META));
			lua_pop(L, 2);
			if (ours && h->dict)
				return h->dict;
		}
	}
	luaL_error(L, "bad \"zone\" argument");
	return NULL;
}

/* NULL for a good key, or what is wrong with it. */
static const char *judge_key(lua_State *L, struct slice key)
{
	if (lua_isnoneornil(L, 2))
		return "nil key";
	if (key.len == 0)
		return "empty key";
	return key.len > SHARED_KEY_MAX ? "key too long" : NULL;
}

/* Any value is a key, as what tostring() says. */
static const char *key_at_2(lua_State *L, struct slice *key)
{
	if (lua_isnoneornil(L, 2))
		return "nil key";
	*key = args_tostring(L, 2);
	return judge_key(L, *key);
}

/* Those of lists are strings. */
static const char *list_key_at_2(lua_State *L, struct slice *key)
{
	size_t len;

	if (lua_isnoneornil(L, 2))
		return "nil key";
	const char *text = luaL_checklstring(L, 2, &len);
	*key = slice_of(text, len);
	return judge_key(L, *key);
}

/* False for what cannot be stored. */
static bool value_at(lua_State *L, int at, struct shared_value *v)
{
	size_t len;

	*v = (struct shared_value){.type = SHARED_NIL};
	switch (lua_type(L, at)) {
	case LUA_TNONE:
	case LUA_TNIL:
		return true;
	case LUA_TBOOLEAN:
		v->type = SHARED_BOOL;
		v->number = lua_toboolean(L, at);
		return true;
	case LUA_TNUMBER:
		v->type = SHARED_NUMBER;
		v->number = lua_tonumber(L, at);
		return true;
	case LUA_TSTRING:
		v->type = SHARED_STRING;
		v->text.at = (const uint8_t *)lua_tolstring(L, at, &len);
		v->text.len = len;
		return true;
	default:
		return false;
	}
}

/* When something expires that does so in so many seconds; 0, less, and more than can be counted:
 * never. What is not 0 is a millisecond at least. */
static uint64_t expiry(lua_Number seconds, uint64_t now)
{
	static const lua_Number longest = 1e12;

	if (!(seconds > 0) || seconds > longest)
		return 0;
	return now + (uint64_t)ceil(seconds * 1000);
}

/* ---- values ---- */

static void push_value(lua_State *L, const struct shared_value *v)
{
	switch (v->type) {
	case SHARED_BOOL:
		lua_pushboolean(L, v->number != 0);
		break;
	case SHARED_NUMBER:
		lua_pushnumber(L, v->number);
		break;
	case SHARED_STRING:
		lua_pushlstring(L, (const char *)v->text.at, v->text.len);
		break;
	default:
		lua_pushnil(L);
	}
}

static const char *words_of(enum shared_result result)
{
	static const char *const words[] = {
	        [SHARED_NOT_FOUND] = "not found",
	        [SHARED_EXISTS] = "exists",
	        [SHARED_NO_MEMORY] = "no memory",
	        [SHARED_NOT_A_NUMBER] = "not a number",
	        [SHARED_NOT_A_LIST] = "value not a list",
	        [SHARED_IS_A_LIST] = "value is a list",
	};

	return words[result];
}

static int look_up(lua_State *L, bool stale)
{
	struct shared_dict *d = dict_at_1(L);
	struct slice key;
	const char *bad = key_at_2(L, &key);
	struct holding *h = holding_of(L); /* after the key, whose __tostring may use it */

	if (bad)
		return lua_fail(L, bad);
	enum shared_result result = shared_dict_find(d, key, stale, now_ms(), &h->value);
	if (result == SHARED_NOT_FOUND) {
		lua_pushnil(L);
		return 1;
	}
	if (result != SHARED_OK)
		return lua_fail(L, words_of(result));
	int flags = h->value.flags;
	push_value(L, &h->value);
	let_go(h);
	if (!stale && flags == 0)
		return 1;
	if (flags != 0)
		lua_pushinteger(L, flags);
	else
		lua_pushnil(L);
	if (!stale)
		return 2;
	lua_pushboolean(L, h->value.stale);
	return 3;
}

static int get(lua_State *L)
{
	return look_up(L, false);
}

static int get_stale(lua_State *L)
{
	return look_up(L, true);
}

static int store(lua_State *L, unsigned how)
{
	struct shared_dict *d = dict_at_1(L);
	struct shared_value v;
	struct slice key;
	bool forced;

	if (lua_toboolean(L, 4) && lua_type(L, 4) != LUA_TNUMBER)
		return luaL_error(L, "attempt to compare %s with number", luaL_typename(L, 4));
	lua_Number seconds = lua_toboolean(L, 4) ? lua_tonumber(L, 4) : 0;
	if (seconds < 0)
		return luaL_error(L, "bad \"exptime\" argument");
	int flags = lua_toboolean(L, 5) ? (int)luaL_checkinteger(L, 5) : 0;
	const char *bad = key_at_2(L, &key);
	if (bad)
		return lua_fail(L, bad);
	if (!value_at(L, 3, &v))
		return lua_fail(L, "bad value type");
	v.flags = flags;
	uint64_t now = now_ms();
	const char *error = NULL;
	forced = false;
	if (v.type == SHARED_NIL && how & (SHARED_ADD | SHARED_REPLACE)) {
		error = "attempt to add or replace nil values";
	} else {
		enum shared_result result =
		        shared_dict_store(d, how, key, &v, expiry(seconds, now), now, &forced);
		error = result == SHARED_OK ? NULL : words_of(result);
	}
	lua_pushboolean(L, !error);
	lua_pushstring(L, error);
	lua_pushboolean(L, forced);
	return 3;
}

static int set(lua_State *L)
{
	return store(L, 0);
}

static int safe_set(lua_State *L)
{
	return store(L, SHARED_SAFE);
}

static int add(lua_State *L)
{
	return store(L, SHARED_ADD);
}

static int safe_add(lua_State *L)
{
	return store(L, SHARED_ADD | SHARED_SAFE);
}

static int replace(lua_State *L)
{
	return store(L, SHARED_REPLACE);
}

static int delete (lua_State *L)
{
	lua_settop(L, 2);
	return store(L, 0);
}

/* A number, or a string that is one. */
static lua_Number number_at(lua_State *L, int at, const char *name)
{
	if (!lua_isnumber(L, at))
		luaL_error(L, "bad %s arg: number expected, got %s", name, luaL_typename(L, at));
	return lua_tonumber(L, at);
}

static lua_Number ttl_of_init(lua_State *L, bool has_init)
{
	if (lua_isnoneornil(L, 5))
		return 0;
	lua_Number seconds = number_at(L, 5, "init_ttl");
	if (seconds < 0)
		luaL_error(L, "bad \"init_ttl\" argument");
	if (!has_init)
		luaL_error(L, "must provide \"init\" when providing \"init_ttl\"");
	return seconds;
}

static int incr(lua_State *L)
{
	struct shared_dict *d = dict_at_1(L);
	struct slice key;
	bool forced;
	const char *bad = key_at_2(L, &key);

	if (bad)
		return lua_fail(L, bad);
	if (!lua_isnumber(L, 3))
		return luaL_error(L, "cannot convert 'nil' to 'double'");
	double number = lua_tonumber(L, 3);
	bool has_init = lua_toboolean(L, 4);
	double init = has_init ? number_at(L, 4, "init") : 0;
	lua_Number seconds = ttl_of_init(L, has_init);
	uint64_t now = now_ms();
	enum shared_result result = shared_dict_incr(
	        d, key, &number, has_init ? &init : NULL, expiry(seconds, now), now, &forced);
	if (result != SHARED_OK)
		return lua_fail(L, words_of(result));
	lua_pushnumber(L, number);
	if (!has_init)
		return 1;
	lua_pushnil(L);
	lua_pushboolean(L, forced);
	return 3;
}

/* ---- time ---- */

static int ttl(lua_State *L)
{
	struct shared_dict *d = dict_at_1(L);
	struct slice key;
	int64_t left;
	const char *bad = key_at_2(L, &key);

	if (bad)
		return lua_fail(L, bad);
	if (shared_dict_ttl(d, key, now_ms(), &left) != SHARED_OK)
		return lua_fail(L, words_of(SHARED_NOT_FOUND));
	lua_pushnumber(L, (lua_Number)left / 1000);
	return 1;
}

static int expire(lua_State *L)
{
	struct shared_dict *d = dict_at_1(L);
	struct slice key;

	if (!lua_toboolean(L, 3))
		return luaL_error(L, "bad \"exptime\" argument");
	if (!lua_isnumber(L, 3))
		return luaL_error(L,
		        "attempt to perform arithmetic on local 'exptime' (a %s value)",
		        luaL_typename(L, 3));
	lua_Number seconds = lua_tonumber(L, 3);
	const char *bad = key_at_2(L, &key);
	if (bad)
		return lua_fail(L, bad);
	if (shared_dict_expire(d, key, expiry(seconds, now_ms())) != SHARED_OK)
		return lua_fail(L, words_of(SHARED_NOT_FOUND));
	lua_pushboolean(L, true);
	return 1;
}

static int flush_all(lua_State *L)
{
	shared_dict_flush_all(dict_at_1(L));
	return 0;
}

/* How many at most: 0, all. */
static lua_Integer count_at_2(lua_State *L, lua_Integer otherwise)
{
	args_count(L, 1, 2, "expecting 1 or 2 argument(s), but saw");
	luaL_checktype(L, 1, LUA_TTABLE);
	return lua_gettop(L) == 2 ? luaL_checkinteger(L, 2) : otherwise;
}

static int flush_expired(lua_State *L)
{
	lua_Integer max = count_at_2(L, 0);
	struct shared_dict *d = dict_at_1(L);

	size_t freed = max >= 0 ? shared_dict_flush_expired(d, (size_t)max, now_ms()) : 0;
	lua_pushnumber(L, (lua_Number)freed);
	return 1;
}

static int get_keys(lua_State *L)
{
	enum { DEFAULT_MAX = 1024 };
	lua_Integer max = count_at_2(L, DEFAULT_MAX);
	struct shared_dict *d = dict_at_1(L);
	struct holding *h = holding_of(L);

	if (!shared_dict_keys(d, max > 0 ? (size_t)max : 0, now_ms(), &h->keys)) {
		let_go(h);
		return luaL_error(L, "no memory");
	}
	lua_createtable(L, (int)h->keys.count, 0);
	for (size_t i = 0; i < h->keys.count; i++) {
		struct slice key = shared_entry_key(h->keys.at[i]);
		lua_pushlstring(L, (const char *)key.at, key.len);
		lua_rawseti(L, -2, (int)i + 1);
	}
	let_go(h);
	return 1;
}

/* ---- lists ---- */

static void count_args(lua_State *L, int count)
{
	int n = lua_gettop(L);

	if (n != count)
		luaL_error(L, "expecting %d arguments, but only seen %d", count, n);
}

static int push(lua_State *L, bool front)
{
	struct shared_value v;
	struct slice key;
	size_t len;

	count_args(L, 3);
	struct shared_dict *d = dict_at_1(L);
	const char *bad = list_key_at_2(L, &key);
	if (bad)
		return lua_fail(L, bad);
	if (!value_at(L, 3, &v) || v.type < SHARED_NUMBER)
		return lua_fail(L, "bad value type");
	enum shared_result result = shared_dict_push(d, key, front, &v, now_ms(), &len);
	if (result != SHARED_OK)
		return lua_fail(L, words_of(result));
	lua_pushnumber(L, (lua_Number)len);
	return 1;
}

static int lpush(lua_State *L)
{
	return push(L, true);
}

static int rpush(lua_State *L)
{
	return push(L, false);
}

static int pop(lua_State *L, bool front)
{
	struct slice key;

	count_args(L, 2);
	struct shared_dict *d = dict_at_1(L);
	struct holding *h = holding_of(L);
	const char *bad = list_key_at_2(L, &key);
	if (bad)
		return lua_fail(L, bad);
	enum shared_result result = shared_dict_pop(d, key, front, now_ms(), &h->value);
	if (result == SHARED_NOT_FOUND) {
		lua_pushnil(L);
		return 1;
	}
	if (result != SHARED_OK)
		return lua_fail(L, words_of(result));
	push_value(L, &h->value);
	let_go(h);
	return 1;
}

static int lpop(lua_State *L)
{
	return pop(L, true);
}

static int rpop(lua_State *L)
{
	return pop(L, false);
}

static int llen(lua_State *L)
{
	struct slice key;
	size_t len;

	count_args(L, 2);
	struct shared_dict *d = dict_at_1(L);
	const char *bad = list_key_at_2(L, &key);
	if (bad)
		return lua_fail(L, bad);
	enum shared_result result = shared_dict_len(d, key, now_ms(), &len);
	if (result != SHARED_OK)
		return lua_fail(L, words_of(result));
	lua_pushnumber(L, (lua_Number)len);
	return 1;
}

static int capacity(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)shared_dict_size(dict_at_1(L)));
	return 1;
}

static int free_space(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)shared_dict_free_space(dict_at_1(L)));
	return 1;
}

/* ---- opening ---- */

/* Its address is the key of the dictionaries' metatable in the registry. */
static const char registry_key;

static int handle_gc(lua_State *L)
{
	struct handle *h = lua_finalized(L, handle_gc, sizeof(*h));

	if (!h)
		return 0;
	shared_dict_put(h->dict);
	h->dict = NULL;
	return 0;
}

static int holding_gc(lua_State *L)
{
	struct holding *h = lua_finalized(L, holding_gc, sizeof(*h));

	if (h)
		let_go(h);
	return 0;
}

static void push_meta(lua_State *L, lua_CFunction gc)
{
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, gc);
	lua_setfield(L, -2, "__gc");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable"); /* a script cannot free it early */
}

static void push_holding(lua_State *L)
{
	struct holding *h = lua_newuserdata(L, sizeof(*h));

	*h = (struct holding){0};
	push_meta(L, holding_gc);
	lua_setmetatable(L, -2);
}

void ngx_shared_open(lua_State *L)
{
	static const luaL_Reg methods[] = {
	        {"get", get},
	        {"get_stale", get_stale},
	        {"set", set},
	        {"safe_set", safe_set},
	        {"add", add},
	        {"safe_add", safe_add},
	        {"replace", replace},
	        {"delete", delete},
	        {"incr", incr},
	        {"lpush", lpush},
	        {"rpush", rpush},
	        {"lpop", lpop},
	        {"rpop", rpop},
	        {"llen", llen},
	        {"ttl", ttl},
	        {"expire", expire},
	        {"flush_all", flush_all},
	        {"flush_expired", flush_expired},
	        {"get_keys", get_keys},
	        {"capacity", capacity},
	        {"free_space", free_space},
	        {NULL, NULL},
	};

	lua_newtable(L);
	lua_setfield(L, -2, "shared");
	lua_pushlightuserdata(L, (void *)&registry_key);
	lua_createtable(L, 1, 24);
	push_meta(L, handle_gc);
	lua_pushvalue(L, -1);
	lua_rawseti(L, -3, 1); /* the handles' metatable, where ngx_shared_add() finds it */
	push_holding(L);
	luaL_setfuncs(L, methods, UPVALUES);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void ngx_shared_add(lua_State *L, const char *name, struct shared_dict *dict)
{
	lua_getfield(L, -1, "shared");
	lua_createtable(L, 1, 0);
	lua_pushlightuserdata(L, (void *)&registry_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	struct handle *h = lua_newuserdata(L, sizeof(*h));
	h->dict = NULL;
	lua_rawgeti(L, -2, 1);
	lua_setmetatable(L, -2);
	shared_dict_hold(dict);
	h->dict = dict;
	lua_rawseti(L, -3, 1);
	lua_setmetatable(L, -2);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}
