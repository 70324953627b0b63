/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/compat.h"

#include "lua/ngx.h"
#include "lua_rows.h"

#include <unistd.h>

/* Keeps what it is given: ngx.logged = {level, text}. */
static int log_to_table(lua_State *L)
{
	lua_getglobal(L, "ngx");
	lua_createtable(L, 2, 0);
	for (int i = 1; i <= 2; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "logged");
	return 0;
}

static lua_State *new_vm(void)
{
	lua_State *L = lua_rows_new();

	ngx_string_open(L);
	ngx_time_open(L);
	ngx_re_open(L);
	ngx_shared_open(L);
	lua_pushcfunction(L, log_to_table);
	lua_setfield(L, -2, "log");
	lua_newtable(L);
	lua_setfield(L, -2, "ctx");
	compat_open(L);
	ck_assert_int_eq(lua_gettop(L), 1);
	return L;
}

static const struct lua_row modules[] = {
        {"local n = 0 for m in ('resty.core resty.core.base resty.core.base64 resty.core.coroutine "
         "resty.core.ctx resty.core.exit resty.core.hash resty.core.misc resty.core.ndk "
         "resty.core.param resty.core.phase resty.core.regex resty.core.request "
         "resty.core.response resty.core.shdict resty.core.socket resty.core.time resty.core.uri "
         "resty.core.utils resty.core.var resty.core.worker ngx.base64 ngx.errlog ngx.process "
         "ngx.re ngx.req ngx.resp ngx.ssl'):gmatch('%S+') do local t = require(m) "
         "assert(type(t) == 'table' and t == require(m), m) "
         "assert((t.version or t._VERSION):match('^%d+%.%d+%.%d+$'), m) n = n + 1 end return S(n)",
                "28"},
        {"package.loaded['ngx.re'] == require('ngx.re'), require('ngx.re').split('a,b', ',')[2]",
                "true, 'b'"},
        {"pcall(require, 'resty.core.none') == false", "true"},
        /* What OpenResty's LuaJIT brings, and stock LuaJIT in part. */
        {"local n = 0 for m in ('table.new table.clear table.nkeys table.isempty table.isarray "
         "table.clone thread.exdata string.buffer jit.v jit.dump'):gmatch('%S+') do "
         "assert(pcall(require, m)) n = n + 1 end return S(n)",
                "10"},
        {"require('table.nkeys')({1, 2, a = 3}), require('table.isempty')({}), "
         "require('table.isarray')({1}), require('table.clone')({1})",
                "3, true, true, {1=1}"},
};

/* What lua-resty-core 0.1.25 gives for each. */
static const struct lua_row base[] = {
        {"local b = require('resty.core.base') local f = require('ffi') "
         "return S(b.get_string_buf_size(), f.sizeof(b.get_string_buf(10)), "
         "f.sizeof(b.get_string_buf(5000)), f.sizeof(b.get_string_buf(10, true)))",
                "4096, 4096, 5000, 10"},
        {"local b = require('resty.core.base') return S(b.get_string_buf(10) == "
         "b.get_string_buf(20), "
         "b.get_string_buf(9, true) == b.get_string_buf(9), b.get_size_ptr() == b.get_size_ptr(), "
         "b.get_errmsg_ptr() == b.get_errmsg_ptr())",
                "true, false, true, true"},
        {"local b = require('resty.core.base') b.set_string_buf_size(0) "
         "local was = b.get_string_buf_size() b.set_string_buf_size(100.5) "
         "return S(was, b.get_string_buf_size(), require('ffi').sizeof(b.get_string_buf(1)))",
                "4096, 101, 101"},
        {"local b = require('resty.core.base') return S(tostring(b.get_errmsg_ptr()):sub(1, 15), "
         "tostring(b.get_size_ptr()):sub(1, 18), tostring(b.get_string_buf(1)):sub(1, 14))",
                "'cdata<char *[1]', 'cdata<uint64_t [1]', 'cdata<char [?]'"},
        {"local b = require('resty.core.base') local t = {} "
         "return S(b.ref_in_table(t, 'x'), b.ref_in_table(t, 'y'), b.ref_in_table(t, nil), t)",
                "1, 2, -1, {1='x',2='y'}"},
        {"local b = require('resty.core.base') local t = {[0] = 2, 'a', 0, 'c'} "
         "return S(b.ref_in_table(t, 'x'), b.ref_in_table(t, 'y'), t)",
                "2, 4, {0=0,1='a',2='x',3='c',4='y'}"},
        {"require('resty.core.base').allows_subsystem('http', 'stream')", "-"},
        {"require('resty.core.base').allows_subsystem('stream')",
                "! t:1: unsupported subsystem: http"},
        {"require('resty.core.base').allows_subsystem()", "! t:1: unsupported subsystem: http"},
        {"local b = require('resty.core.base') return S(b.FFI_OK, b.FFI_ERROR, b.FFI_AGAIN, "
         "b.FFI_BUSY, "
         "b.FFI_DONE, b.FFI_DECLINED, b.FFI_NO_REQ_CTX, b.FFI_BAD_CONTEXT)",
                "0, -1, -2, -3, -4, -5, -100, -101"},
        {"require('resty.core.base').get_request()", "-"},
        {"local b = require('resty.core.base') local t = {1, 2, x = 3} b.clear_tab(t) "
         "return S(t, b.new_tab(2, 2), b.new_tab == require('table.new'))",
                "{}, {}, true"},
};

static const struct lua_row others[] = {
        {"local u = require('resty.core.utils').str_replace_char "
         "return S(u('a_b_c', '_', '-'), u('abc', '_', '-'), u('a_b', '_', 'xy'), u('a_bc', 'bc', "
         "'x'), "
         "u(('_'):rep(3000), '_', '-') == ('-'):rep(3000))",
                "'a-b-c', 'abc', 'axb', 'a_xc', true"},
        {"require('resty.core.utils').str_replace_char('a_b', '', 'x')", "'a_b'"},
        {"require('resty.core.utils').str_replace_char('a_b', '_', '')",
                "! t:1: bad argument #3 to 'str_replace_char' (character expected)"},
        {"require('resty.core.time').monotonic_msec() > 0, "
         "require('resty.core.time').monotonic_time() > 0",
                "true, true"},
        {"require('resty.core.ctx').get_ctx_table() == ngx.ctx", "true"},
        {"require('resty.core.regex').is_regex_cache_empty(), ngx.re.find('a', 'a', 'o')",
                "true, 1, 1"},
        {"require('resty.core.regex').is_regex_cache_empty()", "false"},
        {"require('ngx.re').opt('jit_stack_size', 100000)",
                "! t:1: changing jit stack size is not allowed when some regexs have already been "
                "compiled and cached"},
        {"require('ngx.errlog').set_filter_level()", "nil, 'missing \"level\" argument'"},
        {"require('ngx.errlog').set_filter_level(4)",
                "nil, 'missing the capture error log patch for nginx'"},
        {"require('ngx.errlog').get_logs()",
                "nil, 'missing the capture error log patch for nginx'"},
        {"require('ngx.errlog').get_sys_filter_level()", "7"},
        {"require('ngx.errlog').raw_log()",
                "! t:1: bad argument #1 to 'raw_log' (must be a number)"},
        {"require('ngx.errlog').raw_log(4, 5)",
                "! t:1: bad argument #2 to 'raw_log' (must be a string)"},
        {"require('ngx.errlog').raw_log(400, 'x')", "! t:1: bad log level"},
        {"require('ngx.errlog').raw_log(-1, 'x')", "! t:1: bad log level"},
        {"require('ngx.errlog').raw_log(4.5, 'hello') return S(ngx.logged)", "{1=4,2='hello'}"},
        {"require('ngx.process').enable_privileged_agent()",
                "nil, 'API disabled in the current context'"},
};

START_TEST(modules_are_those_of_resty_core)
{
	lua_State *L = new_vm();

	lua_rows_run(L, modules, sizeof(modules) / sizeof(modules[0]));
	lua_rows_run(L, base, sizeof(base) / sizeof(base[0]));
	lua_close(L);
	L = new_vm();
	lua_rows_run(L, others, sizeof(others) / sizeof(others[0]));
	lua_close(L);
}
END_TEST

START_TEST(other_groups_add_to_modules)
{
	static const struct lua_row added[] = {
	        {"require('ngx.resp').add_header == ngx.log, require('ngx.resp').version ~= nil",
	                "true, true"},
	        {"require('ngx.semaphore').new == ngx.log", "true"},
	};
	static const char *const names[][2] = {
	        {"ngx.resp", "add_header"}, {"ngx.semaphore", "new"}};
	lua_State *L = new_vm();

	for (int i = 0; i < 2; i++) {
		compat_push_module(L, names[i][0]);
		lua_getfield(L, 1, "log");
		lua_setfield(L, -2, names[i][1]);
		lua_pop(L, 1);
		ck_assert_int_eq(lua_gettop(L), 1);
	}
	compat_push_module(L, "ngx.semaphore");
	lua_getfield(L, -1, "new");
	ck_assert(lua_iscfunction(L, -1));
	lua_settop(L, 1);
	lua_rows_run(L, added, 2);
	lua_close(L);
}
END_TEST

/* A library that takes things from these modules, where it is installed. */
START_TEST(lrucache_runs)
{
	static const struct lua_row uses[] = {
	        {"package.path = '/usr/share/lua/5.1/?.lua' "
	         "local c = require('resty.lrucache').new(2) c:set('a', 1) c:set('b', 2) "
	         "c:get('a') c:set('c', 3) "
	         "return S((c:get('a')), (c:get('b')), (c:get('c')))",
	                "1, nil, 3"},
	};

	if (access("/usr/share/lua/5.1/resty/lrucache.lua", R_OK) != 0)
		return;
	lua_State *L = new_vm();
	lua_rows_run(L, uses, 1);
	lua_close(L);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_compat");
	TCase *tc = tcase_create("compat");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, modules_are_those_of_resty_core);
	tcase_add_test(tc, other_groups_add_to_modules);
	tcase_add_test(tc, lrucache_runs);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
