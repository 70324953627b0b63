/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_shared.h"

#include "base/fault.h"
#include "lua_rows.h"

#include <stdlib.h>

static uint64_t now = 1000;

static uint64_t fake_ms(void)
{
	return now;
}

static int sleep_no_time(lua_State *L)
{
	now += (uint64_t)(lua_tonumber(L, 1) * 1000);
	return 0;
}

static void add_dict(lua_State *L, const char *name, size_t size)
{
	struct shared_dict *d = shared_dict_get(name, size);

	ngx_shared_add(L, name, d);
	shared_dict_put(d);
}

static void open(lua_State *L)
{
	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	lua_pushcfunction(L, sleep_no_time);
	lua_setfield(L, -2, "sleep");
	ngx_shared_open(L);
	ngx_shared_set_clock(fake_ms);
	add_dict(L, "d", 12 << 10);
	add_dict(L, "big", 200 << 10);
	add_dict(L, "big2", 400 << 10);
}

static lua_State *new_vm(void)
{
	lua_State *L = lua_rows_new();

	open(L);
	ck_assert_int_eq(lua_gettop(L), 1);
	return L;
}

/* What ngx_lua 0.10.23 gives for each. In their order: they share the dictionaries. */
static const struct lua_row rows[] = {
        /* arguments */
        {"ngx.shared.d:set(\"k\", 1), ngx.shared.d:get(\"k\")", "true, 1"},
        {"ngx.shared.d.set({}, \"k\", 1)", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.set(nil, \"k\", 1)", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.get(\"x\", \"k\")", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.get({1}, \"k\")", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.lpush({}, \"k\", 1)", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.lpush(nil, \"k\", 1)", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.llen(5, \"k\")", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.get_keys(nil)",
                "! t:1: bad argument #1 to 'get_keys' (table expected, got nil)"},
        {"ngx.shared.d.get_keys()", "! t:1: expecting 1 or 2 argument(s), but saw 0"},
        {"ngx.shared.d.flush_expired(nil)",
                "! t:1: bad argument #1 to 'flush_expired' (table expected, got nil)"},
        {"ngx.shared.d.flush_all(nil)", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d.capacity(nil)", "! t:1: bad \"zone\" argument"},
        {"ngx.shared.d:set(nil, 1)", "nil, 'nil key'"},
        {"ngx.shared.d:set(\"\", 1)", "nil, 'empty key'"},
        {"ngx.shared.d:set((\"k\"):rep(65536), 1)", "nil, 'key too long'"},
        {"ngx.shared.big2:set((\"k\"):rep(65535), 1), ngx.shared.big2:get((\"k\"):rep(65535))",
                "true, 1"},
        {"ngx.shared.d:set(\"k\", {})", "nil, 'bad value type'"},
        {"ngx.shared.d:set(\"k\", print)", "nil, 'bad value type'"},
        {"ngx.shared.d:set(\"k\", ngx.null)", "nil, 'bad value type'"},
        {"ngx.shared.d:set(\"k\")", "true, nil, false"},
        {"ngx.shared.d:set()", "nil, 'nil key'"},
        {"ngx.shared.d:set(\"k\", 1, -1)", "! t:1: bad \"exptime\" argument"},
        {"ngx.shared.d:set(\"k\", 1, false)", "true, nil, false"},
        {"ngx.shared.d:set(\"k\", 1, 0, 7.9), ngx.shared.d:get(\"k\")", "true, 1, 7"},
        {"ngx.shared.d:set(\"k\", 1, 0, -3), ngx.shared.d:get(\"k\")", "true, 1, -3"},
        {"ngx.shared.d:set(\"k\", 1, 0, 2^31), ngx.shared.d:get(\"k\")", "true, 1, -2147483648"},
        {"ngx.shared.d:set(\"k\", 1, 0, 0), ngx.shared.d:get(\"k\")", "true, 1"},
        {"ngx.shared.d:set(12, \"x\"), ngx.shared.d:get(\"12\"), ngx.shared.d:get(12)",
                "true, 'x', 'x'"},
        {"ngx.shared.d:set(true, \"x\"), ngx.shared.d:get(\"true\"), ngx.shared.d:set(false, "
         "\"y\"), ngx.shared.d:get(false)",
                "true, 'x', true, 'y'"},
        {"ngx.shared.d:set(\"a\", true), ngx.shared.d:get(\"a\"), ngx.shared.d:set(\"a\", false), "
         "ngx.shared.d:get(\"a\")",
                "true, true, true, false"},
        {"ngx.shared.d:set(\"a\", 1.25), ngx.shared.d:get(\"a\"), ngx.shared.d:set(\"a\", 0/0), "
         "ngx.shared.d:get(\"a\") ~= ngx.shared.d:get(\"a\")",
                "true, 1.25, true, true"},
        {"ngx.shared.d:set(\"a\", \"\"), ngx.shared.d:get(\"a\"), ngx.shared.d:set(\"a\\0b\", "
         "\"\\0\\1\"), ngx.shared.d:get(\"a\\0b\")",
                "true, '', true, '<00><01>'"},
        {"ngx.shared.d:get(nil)", "nil, 'nil key'"},
        {"ngx.shared.d:get(\"\")", "nil, 'empty key'"},
        {"ngx.shared.d:get()", "nil, 'nil key'"},
        {"ngx.shared.d:get((\"k\"):rep(65536))", "nil, 'key too long'"},
        {"ngx.shared.d:get(\"none\")", "nil"},
        {"ngx.shared.d:get_stale(\"none\")", "nil"},
        {"ngx.shared.d:get_stale(nil)", "nil, 'nil key'"},
        {"ngx.shared.d:get_stale(\"\")", "nil, 'empty key'"},
        {"ngx.shared.d:get_stale(\"a\")", "'', nil, false"},
        {"ngx.shared.d:set(\"f\", \"v\", 0, 5), ngx.shared.d:get(\"f\")", "true, 'v', 5"},
        {"ngx.shared.d:get(\"f\")", "'v', 5"},
        {"ngx.shared.d:get_stale(\"f\")", "'v', 5, false"},
        /* add replace delete */
        {"ngx.shared.d:flush_all()", "-"},
        {"ngx.shared.d:flush_expired()", "4"},
        {"ngx.shared.d:add(\"n\", 1)", "true, nil, false"},
        {"ngx.shared.d:add(\"n\", 2)", "false, 'exists', false"},
        {"ngx.shared.d:add(\"n\", nil)", "false, 'attempt to add or replace nil values', false"},
        {"ngx.shared.d:add(\"nn\", nil)", "false, 'attempt to add or replace nil values', false"},
        {"ngx.shared.d:add(nil, 1)", "nil, 'nil key'"},
        {"ngx.shared.d:add(\"\", 1)", "nil, 'empty key'"},
        {"ngx.shared.d:add(\"x\", {})", "nil, 'bad value type'"},
        {"ngx.shared.d:replace(\"none\", 1)", "false, 'not found', false"},
        {"ngx.shared.d:replace(\"n\", 3)", "true, nil, false"},
        {"ngx.shared.d:get(\"n\")", "3"},
        {"ngx.shared.d:replace(\"n\", nil)",
                "false, 'attempt to add or replace nil values', false"},
        {"ngx.shared.d:get(\"n\")", "3"},
        {"ngx.shared.d:replace(\"n\", nil)",
                "false, 'attempt to add or replace nil values', false"},
        {"ngx.shared.d:safe_set(\"s\", 1)", "true, nil, false"},
        {"ngx.shared.d:safe_add(\"s\", 1)", "false, 'exists', false"},
        {"ngx.shared.d:safe_add(\"s2\", 1)", "true, nil, false"},
        {"ngx.shared.d:delete(\"s\")", "true, nil, false"},
        {"ngx.shared.d:delete(\"s\")", "true, nil, false"},
        {"ngx.shared.d:delete(nil)", "nil, 'nil key'"},
        {"ngx.shared.d:delete(\"\")", "nil, 'empty key'"},
        {"ngx.shared.d:set(\"s2\", nil)", "true, nil, false"},
        {"ngx.shared.d:safe_set(\"none\", nil)", "true, nil, false"},
        /* incr */
        {"ngx.shared.d:incr(\"c\", 1)", "nil, 'not found'"},
        {"ngx.shared.d:incr(\"c\", 1, 10)", "11, nil, false"},
        {"ngx.shared.d:incr(\"c\", 1, 10)", "12, nil, false"},
        {"ngx.shared.d:incr(\"c\", 2.5)", "14.5"},
        {"ngx.shared.d:incr(\"c\", \"3\")", "17.5"},
        {"ngx.shared.d:incr(\"c\", 1, \"x\")", "! t:1: bad init arg: number expected, got string"},
        {"ngx.shared.d:incr(\"c\", 1, {})", "! t:1: bad init arg: number expected, got table"},
        {"ngx.shared.d:incr(\"c\", 1, \"5\")", "18.5, nil, false"},
        {"ngx.shared.d:incr(\"cc\", 1, \"5\")", "6, nil, false"},
        {"ngx.shared.d:incr(\"c\", 1, false)", "19.5"},
        {"ngx.shared.d:incr(\"c3\", 1, false)", "nil, 'not found'"},
        {"ngx.shared.d:incr(\"c\", 1, nil, 5)",
                "! t:1: must provide \"init\" when providing \"init_ttl\""},
        {"ngx.shared.d:incr(\"c\", 1, 0, -1)", "! t:1: bad \"init_ttl\" argument"},
        {"ngx.shared.d:incr(\"c\", 1, 0, \"x\")",
                "! t:1: bad init_ttl arg: number expected, got string"},
        {"ngx.shared.d:incr(\"c\", 1, 0, {})",
                "! t:1: bad init_ttl arg: number expected, got table"},
        {"ngx.shared.d:incr(\"c4\", 1, 0, \"5\")", "1, nil, false"},
        {"ngx.shared.d:incr(\"c5\", 1, 0, 100), ngx.shared.d:ttl(\"c5\") > 99", "1, true"},
        {"ngx.shared.d:incr(nil, 1)", "nil, 'nil key'"},
        {"ngx.shared.d:incr(\"\", 1)", "nil, 'empty key'"},
        {"ngx.shared.d:incr((\"k\"):rep(65536), 1)", "nil, 'key too long'"},
        {"ngx.shared.d:set(\"str\", \"12\"), ngx.shared.d:incr(\"str\", 1)",
                "true, nil, 'not a number'"},
        {"ngx.shared.d:set(\"str\", true), ngx.shared.d:incr(\"str\", 1, 5)",
                "true, nil, 'not a number'"},
        {"ngx.shared.d:set(\"fl\", 5, 0, 3), ngx.shared.d:incr(\"fl\", 1), "
         "ngx.shared.d:get(\"fl\")",
                "true, 6, 6, 3"},
        {"ngx.shared.d:set(\"fl\", 5, 100, 3), ngx.shared.d:incr(\"fl\", 1, 1, 1), "
         "ngx.shared.d:ttl(\"fl\") > 90",
                "true, 6, true"},
        {"ngx.shared.d:incr(\"inf\", 1e308, 1e308)", "inf, nil, false"},
        /* ttl expire */
        {"ngx.shared.d:ttl(\"none\")", "nil, 'not found'"},
        {"ngx.shared.d:ttl(\"c\")", "0"},
        {"ngx.shared.d:ttl(nil)", "nil, 'nil key'"},
        {"ngx.shared.d:ttl(\"\")", "nil, 'empty key'"},
        {"ngx.shared.d:expire(\"none\", 1)", "nil, 'not found'"},
        {"ngx.shared.d:expire(\"c\", 50), ngx.shared.d:ttl(\"c\") > 49", "true, true"},
        {"ngx.shared.d:expire(\"c\", 0), ngx.shared.d:ttl(\"c\")", "true, 0"},
        {"ngx.shared.d:expire(\"c\")", "! t:1: bad \"exptime\" argument"},
        {"ngx.shared.d:expire(\"c\", nil)", "! t:1: bad \"exptime\" argument"},
        {"ngx.shared.d:expire(nil, 1)", "nil, 'nil key'"},
        {"ngx.shared.d:expire(\"\", 1)", "nil, 'empty key'"},
        {"ngx.shared.d:expire(\"c\", -1)", "true"},
        {"ngx.shared.d:get(\"c\")", "19.5"},
        {"ngx.shared.d:expire(\"c\", \"5\")", "true"},
        {"ngx.shared.d:set(\"e\", 1, 0.01), (ngx.sleep(0.02)), ngx.shared.d:get(\"e\")",
                "true, nil, nil"},
        {"ngx.shared.d:ttl(\"e\") < 0", "true"},
        {"ngx.shared.d:get_stale(\"e\")", "1, nil, true"},
        {"ngx.shared.d:set(\"e2\", \"x\", 0.01, 4), (ngx.sleep(0.02)), "
         "ngx.shared.d:get_stale(\"e2\")",
                "true, nil, 'x', 4, true"},
        {"ngx.shared.d:add(\"e\", 2)", "true, nil, false"},
        {"ngx.shared.d:set(\"e\", 1, 0.01), (ngx.sleep(0.02)), ngx.shared.d:replace(\"e\", 5)",
                "true, nil, false, 'not found', false"},
        {"ngx.shared.d:set(\"e\", 1, 0.01), (ngx.sleep(0.02)), ngx.shared.d:incr(\"e\", 5)",
                "true, nil, nil, 'not found'"},
        {"ngx.shared.d:set(\"e\", 1, 0.01), (ngx.sleep(0.02)), ngx.shared.d:incr(\"e\", 5, 7)",
                "true, nil, 12, nil, false"},
        {"ngx.shared.d:set(\"e\", 1, 0.01), (ngx.sleep(0.02)), ngx.shared.d:expire(\"e\", 5), "
         "ngx.shared.d:get(\"e\")",
                "true, nil, true, 1"},
        {"ngx.shared.d:set(\"e\", 1, 1e15), ngx.shared.d:get(\"e\")", "true, 1"},
        {"ngx.shared.d:set(\"e\", 1, 1/0), ngx.shared.d:get(\"e\")", "true, 1"},
        {"ngx.shared.d:set(\"e\", 1, 0/0), ngx.shared.d:get(\"e\")", "true, 1"},
        /* lists */
        {"ngx.shared.d:flush_all(), ngx.shared.d:flush_expired()", "nil, 7"},
        {"ngx.shared.d:lpush(\"l\", \"a\"), ngx.shared.d:lpush(\"l\", 2), "
         "ngx.shared.d:rpush(\"l\", \"z\"), ngx.shared.d:llen(\"l\")",
                "1, 2, 3, 3"},
        {"ngx.shared.d:lpop(\"l\"), ngx.shared.d:rpop(\"l\"), ngx.shared.d:lpop(\"l\"), "
         "ngx.shared.d:lpop(\"l\"), ngx.shared.d:llen(\"l\")",
                "2, 'z', 'a', nil, 0"},
        {"ngx.shared.d:rpop(\"none\"), ngx.shared.d:llen(\"none\")", "nil, 0"},
        {"ngx.shared.d:lpush(\"l\", true)", "nil, 'bad value type'"},
        {"ngx.shared.d:lpush(\"l\", nil)", "nil, 'bad value type'"},
        {"ngx.shared.d:lpush(\"l\", {})", "nil, 'bad value type'"},
        {"ngx.shared.d:lpush(\"l\")", "! t:1: expecting 3 arguments, but only seen 2"},
        {"ngx.shared.d:lpush(\"l\", \"a\", \"b\")",
                "! t:1: expecting 3 arguments, but only seen 4"},
        {"ngx.shared.d:lpush(nil, \"a\")", "nil, 'nil key'"},
        {"ngx.shared.d:lpush(\"\", \"a\")", "nil, 'empty key'"},
        {"ngx.shared.d:lpush((\"k\"):rep(65536), \"a\")", "nil, 'key too long'"},
        {"ngx.shared.d:lpush({}, \"a\")",
                "! t:1: bad argument #1 to 'lpush' (string expected, got table)"},
        {"ngx.shared.d:lpush(true, \"a\")",
                "! t:1: bad argument #1 to 'lpush' (string expected, got boolean)"},
        {"ngx.shared.d:lpush(12, \"a\"), ngx.shared.d:llen(\"12\")", "1, 1"},
        {"ngx.shared.d:lpop()", "! t:1: expecting 2 arguments, but only seen 1"},
        {"ngx.shared.d:lpop(nil)", "nil, 'nil key'"},
        {"ngx.shared.d:lpop(\"\")", "nil, 'empty key'"},
        {"ngx.shared.d:llen()", "! t:1: expecting 2 arguments, but only seen 1"},
        {"ngx.shared.d:llen(nil)", "nil, 'nil key'"},
        {"ngx.shared.d:llen(\"\")", "nil, 'empty key'"},
        {"ngx.shared.d:llen(\"l\", 2)", "! t:1: expecting 2 arguments, but only seen 3"},
        {"ngx.shared.d:set(\"v\", \"x\"), ngx.shared.d:lpush(\"v\", 1)",
                "true, nil, 'value not a list'"},
        {"ngx.shared.d:lpop(\"v\")", "nil, 'value not a list'"},
        {"ngx.shared.d:rpop(\"v\")", "nil, 'value not a list'"},
        {"ngx.shared.d:rpush(\"v\", 1)", "nil, 'value not a list'"},
        {"ngx.shared.d:llen(\"v\")", "nil, 'value not a list'"},
        {"ngx.shared.d:rpush(\"l\", \"x\"), ngx.shared.d:get(\"l\")", "1, nil, 'value is a list'"},
        {"ngx.shared.d:get_stale(\"l\")", "nil, 'value is a list'"},
        {"ngx.shared.d:incr(\"l\", 1)", "nil, 'not a number'"},
        {"ngx.shared.d:incr(\"l\", 1, 1)", "nil, 'not a number'"},
        {"ngx.shared.d:add(\"l\", 1)", "false, 'exists', false"},
        {"ngx.shared.d:set(\"l\", 5), ngx.shared.d:get(\"l\")", "true, 5"},
        {"ngx.shared.d:rpush(\"l2\", \"x\"), ngx.shared.d:delete(\"l2\"), "
         "ngx.shared.d:llen(\"l2\")",
                "1, true, 0"},
        {"ngx.shared.d:rpush(\"l3\", \"x\"), ngx.shared.d:replace(\"l3\", \"v\"), "
         "ngx.shared.d:get(\"l3\")",
                "1, true, 'v'"},
        {"ngx.shared.d:rpush(\"l4\", \"x\"), ngx.shared.d:expire(\"l4\", 0.01), (ngx.sleep(0.02)), "
         "ngx.shared.d:llen(\"l4\"), ngx.shared.d:lpop(\"l4\"), ngx.shared.d:rpush(\"l4\", \"y\")",
                "1, true, nil, 0, nil, 1"},
        {"ngx.shared.d:set(\"l5\", \"x\", 0.01), (ngx.sleep(0.02)), ngx.shared.d:rpush(\"l5\", "
         "\"y\"), ngx.shared.d:llen(\"l5\"), ngx.shared.d:ttl(\"l5\")",
                "true, nil, 1, 1, 0"},
        {"ngx.shared.d:rpush(\"l6\", \"\"), ngx.shared.d:lpop(\"l6\")", "1, ''"},
        {"ngx.shared.d:rpush(\"l6\", \"x\"), ngx.shared.d:safe_add(\"l6\", 1), "
         "ngx.shared.d:ttl(\"l6\")",
                "1, false, 0"},
        /* keys */
        {"ngx.shared.d:flush_all(), ngx.shared.d:get_keys()", "nil, {}"},
        {"ngx.shared.d:flush_expired(2)", "2"},
        {"ngx.shared.d:flush_expired(\"2\")", "2"},
        {"ngx.shared.d:flush_expired(-1)", "0"},
        {"ngx.shared.d:flush_expired(\"x\")",
                "! t:1: bad argument #1 to 'flush_expired' (number expected, got string)"},
        {"ngx.shared.d:flush_expired(0)", "0"},
        {"ngx.shared.d:flush_expired(nil)",
                "! t:1: bad argument #1 to 'flush_expired' (number expected, got nil)"},
        {"ngx.shared.d:flush_expired(1, 2)", "! t:1: expecting 1 or 2 argument(s), but saw 3"},
        {"ngx.shared.d:get_keys()", "{}"},
        {"ngx.shared.d:set(\"a\", 1), ngx.shared.d:set(\"b\", 2), ngx.shared.d:set(\"c\", 3), "
         "ngx.shared.d:get_keys()",
                "true, true, true, {1='a',2='b',3='c'}"},
        {"ngx.shared.d:get(\"a\"), ngx.shared.d:get_keys()", "1, {1='b',2='c',3='a'}"},
        {"ngx.shared.d:get_keys(2)", "{1='b',2='c'}"},
        {"ngx.shared.d:get_keys(0)", "{1='b',2='c',3='a'}"},
        {"ngx.shared.d:get_keys(-1)", "{1='b',2='c',3='a'}"},
        {"ngx.shared.d:get_keys(\"x\")",
                "! t:1: bad argument #1 to 'get_keys' (number expected, got string)"},
        {"ngx.shared.d:get_keys(\"1\")", "{1='b'}"},
        {"ngx.shared.d:get_keys(nil)",
                "! t:1: bad argument #1 to 'get_keys' (number expected, got nil)"},
        {"ngx.shared.d:get_keys(1, 2)", "! t:1: expecting 1 or 2 argument(s), but saw 3"},
        {"ngx.shared.d:ttl(\"c\"), ngx.shared.d:get_keys()", "0, {1='b',2='c',3='a'}"},
        {"ngx.shared.d:get_stale(\"b\"), ngx.shared.d:get_keys()", "2, {1='c',2='a',3='b'}"},
        {"ngx.shared.d:incr(\"c\", 1), ngx.shared.d:get_keys()", "4, {1='a',2='b',3='c'}"},
        {"ngx.shared.d:flush_all(1), ngx.shared.d:get_stale(\"a\")", "nil, nil"},
        /* memory */
        {"local d = ngx.shared.big d:flush_all() d:flush_expired() local n, f = 0, nil for i = 1, "
         "10000 do local ok, e, forced = d:set(\"k\" .. i, (\"v\"):rep(100)) if forced then n, f = "
         "i, ok break end end return S(n > 500 and n < 2500, f, d:get(\"k1\"), d:get(\"k2\") ~= "
         "nil)",
                "true, true, nil, true"},
        {"local d = ngx.shared.big d:flush_all() d:flush_expired() for i = 1, 10000 do local ok, "
         "e, forced = d:safe_set(\"k\" .. i, (\"v\"):rep(100)) if not ok then return S(ok, e, "
         "forced, d:get(\"k1\") ~= nil) end end",
                "false, 'no memory', false, true"},
        {"local d = ngx.shared.big d:flush_all() d:flush_expired() for i = 1, 10000 do local ok, "
         "e, forced = d:safe_add(\"k\" .. i, (\"v\"):rep(100)) if not ok then return S(ok, e, "
         "forced, d:get(\"k1\") ~= nil) end end",
                "false, 'no memory', false, true"},
        {"ngx.shared.big:safe_set(\"huge\", (\"x\"):rep(300000))", "false, 'no memory', false"},
        {"ngx.shared.big:rpush(\"hugel\", (\"x\"):rep(300000))", "nil, 'no memory'"},
        {"ngx.shared.big:llen(\"hugel\")", "0"},
        {"local d = ngx.shared.big d:flush_all() d:flush_expired() for i = 1, 10000 do local ok, e "
         "= d:rpush(\"l\", (\"v\"):rep(100)) if not ok then return S(i > 100, ok, e, d:llen(\"l\") "
         "== i - 1) end end",
                "true, nil, 'no memory', true"},
        {"local d = ngx.shared.big2 d:flush_all() d:flush_expired() d:set(\"s\", \"x\", 0.01) "
         "ngx.sleep(0.02) local was = d:get_stale(\"s\") return S(was, d:get(\"s\"), "
         "d:get_stale(\"s\"))",
                "'x', nil, nil"},
};

/* Alone, or behind what ngx_lua gives in other words: errors of Lua's own at lines of its own,
 * times under a millisecond that mean for ever, values that cannot fit pushing out what is there.
 */
static const struct lua_row wanted[] = {
        {"ngx.shared.d:set('k', 1, 'x')", "! t:1: attempt to compare string with number"},
        {"ngx.shared.d:set('k', 1, true)", "! t:1: attempt to compare boolean with number"},
        {"ngx.shared.d:set('k', 1, 0, 'x')",
                "! t:1: bad argument #4 to 'set' (number expected, got string)"},
        {"ngx.shared.d:incr('c', 'x')", "! t:1: cannot convert 'nil' to 'double'"},
        {"ngx.shared.d:incr('c')", "! t:1: cannot convert 'nil' to 'double'"},
        {"ngx.shared.d:expire('c', 'x')",
                "! t:1: attempt to perform arithmetic on local 'exptime' (a string value)"},
        {"ngx.shared.d:set('e', 1, 0.0001), ngx.shared.d:ttl('e')", "true, 0.001"},
        {"ngx.shared.big:set('small', 5), ngx.shared.big:set('huge', ('x'):rep(300000))",
                "true, false, 'no memory', false"},
        {"ngx.shared.big:add('huge', ('x'):rep(300000))", "false, 'no memory', false"},
        {"ngx.shared.big:get('small')", "5"},
        {"ngx.shared.none", "nil"},
        {"ngx.shared.d:flush_all() ngx.shared.d:flush_expired() return S( "
         "ngx.shared.d:get_keys(), "
         "ngx.shared.d:free_space() == ngx.shared.d:capacity())",
                "{}, true"},
        /* What does not fit leaves what was there, also under its key. */
        {"ngx.shared.d:set('a', 'old'), ngx.shared.d:safe_set('a', ('x'):rep(20000))",
                "true, false, 'no memory', false"},
        {"ngx.shared.d:get('a')", "'old'"},
        /* A value that makes room for itself pushes nothing else out. */
        {"local d = ngx.shared.d d:set('b', ('x'):rep(9000)) return S(d:set('b', ('y'):rep(9100)))",
                "true, nil, false"},
        {"ngx.shared.d:get('a'), #ngx.shared.d:get('b')", "'old', 9100"},
        {"ngx.shared.d:safe_set('c', ('x'):rep(5000)), ngx.shared.d:safe_set('b', ('z'):rep(9050))",
                "false, true, nil, false"},
        {"ngx.shared.d:set('c', ('x'):rep(5000))", "true, nil, true"},
        {"ngx.shared.d:get('a'), ngx.shared.d:get('b'), #ngx.shared.d:get('c')", "nil, nil, 5000"},
        /* What has expired makes room, also for what pushes nothing out. */
        {"ngx.shared.d:set('c', ('x'):rep(9000), 1) ngx.sleep(2) return "
         "S(ngx.shared.d:safe_set('n', "
         "('y'):rep(9000)))",
                "true, nil, false"},
        {"ngx.shared.d:get_stale('c')", "nil"},
};

START_TEST(results_and_errors_are_those_of_ngx_lua)
{
	lua_State *L = new_vm();

	lua_rows_run(L, rows, sizeof(rows) / sizeof(rows[0]));
	lua_rows_run(L, wanted, sizeof(wanted) / sizeof(wanted[0]));
	lua_close(L);
}
END_TEST

/* As after a reload: the new VM comes before the old one goes. */
START_TEST(contents_outlive_a_vm)
{
	static const struct lua_row writes[] = {
	        {"ngx.shared.d:set('k', 'v', 0, 7), ngx.shared.big2:rpush('l', 1)", "true, 1"},
	};
	static const struct lua_row reads[] = {
	        {"ngx.shared.d:get('k')", "'v', 7"},
	        {"ngx.shared.big2:llen('l')", "1"},
	};
	static const struct lua_row nothing[] = {{"ngx.shared.d:get('k')", "nil"}};
	lua_State *first = new_vm();

	lua_rows_run(first, writes, 1);
	lua_State *second = new_vm();
	lua_close(first);
	lua_rows_run(second, reads, 2);
	lua_close(second);
	lua_State *third = new_vm();
	lua_rows_run(third, nothing, 1);
	lua_close(third);
}
END_TEST

/* Refuses what is large once it is told to. */
static bool small_only;

static void *limited(void *unused, void *p, size_t was, size_t size)
{
	(void)unused;
	if (size == 0) {
		free(p);
		return NULL;
	}
	if (small_only && size > 50000 && size > was)
		return NULL;
	return realloc(p, size);
}

/* A value that Lua has no memory for stays in the dictionary, and nothing is held for ever. */
START_TEST(short_lua_memory_leaks_nothing)
{
	static const struct lua_row fill[] = {
	        {"ngx.shared.big:set('v', ('x'):rep(60000)), ngx.shared.big:rpush('l', "
	         "('y'):rep(60000))",
	                "true, 1"},
	};
	static const struct lua_row starved[] = {
	        {"pcall(ngx.shared.big.get, ngx.shared.big, 'v')", "false, 'not enough memory'"},
	        {"pcall(ngx.shared.big.lpop, ngx.shared.big, 'l')", "false, 'not enough memory'"},
	        {"pcall(ngx.shared.big.get, ngx.shared.big, 'v')", "false, 'not enough memory'"},
	};
	static const struct lua_row fed[] = {
	        {"#ngx.shared.big:get('v'), ngx.shared.big:llen('l')", "60000, 0"}};
	lua_State *L = lua_newstate(limited, NULL);

	ck_assert_ptr_nonnull(L);
	luaL_openlibs(L);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setglobal(L, "ngx");
	open(L);
	lua_rows_run(L, fill, 1);
	small_only = true;
	lua_rows_run(L, starved, 3);
	small_only = false;
	lua_rows_run(L, fed, 1);
	lua_close(L);
}
END_TEST

/* FAULTS: no memory for an entry is `no memory`. */
START_TEST(short_memory_is_an_error)
{
	static const struct lua_row row = {
	        "local d, good = ngx.shared.d, {['no memory'] = true} for i = 1, 4 do "
	        "local ok, e = d:set('k' .. i, 'v') assert(ok or good[e], e) "
	        "local n, e = d:incr('n' .. i, 1, 0) assert(n or good[e], e) "
	        "local n, e = d:rpush('l' .. i, 1) assert(n or good[e], e) "
	        "local ok, e = pcall(d.get_keys, d) assert(ok or e:find('no memory'), e) "
	        "d:get('k' .. i) d:lpop('l' .. i) end d:flush_all() d:flush_expired() "
	        "return S(d:free_space() == d:capacity())",
	        "true"};
	char plan[40];

	for (int nth = 1; nth < 40; nth++) {
		lua_State *L = new_vm();
		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM:%d", nth, 1 + nth % 4);
		ck_assert(fault_plan(plan));
		lua_rows_run(L, &row, 1);
		fault_plan(NULL);
		lua_close(L);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_ngx_shared");
	TCase *tc = tcase_create("shared");
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, results_and_errors_are_those_of_ngx_lua);
	tcase_add_test(tc, contents_outlive_a_vm);
	tcase_add_test(tc, short_lua_memory_leaks_nothing);
	tcase_add_test(tc, short_memory_is_an_error);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
