/* SPDX-License-Identifier: BSD-2-Clause */

/* What scripts find in a new VM: the ngx table with all its groups, `coroutine`, and modules that
 * they may require. */

#include "lua/ngx.h"
#include "lua/thread.h"
#include "lua/vm.h"

#include <lauxlib.h>
#include <string.h>

/* What lua-resty-core would provide is there; whoever requires it gets this. */
static int open_core(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

/* The fields of a library's module under a name of its own, as resty.core.base has them. */
static void borrow(lua_State *L, const char *module, const char *name, const char *as)
{
	lua_getglobal(L, "require");
	lua_pushstring(L, module);
	lua_call(L, 1, 1);
	if (name) {
		lua_getfield(L, -1, name);
		lua_remove(L, -2);
	}
	lua_setfield(L, -2, as);
}

static int l_allows_subsystem(lua_State *L)
{
	for (int i = 1; i <= lua_gettop(L); i++)
		if (lua_isstring(L, i) && strcmp(lua_tostring(L, i), "http") == 0)
			return 0;
	return luaL_error(L, "unsupported subsystem: http");
}

static int open_base(lua_State *L)
{
	open_core(L);
	borrow(L, "table.new", NULL, "new_tab");
	borrow(L, "table.clear", NULL, "clear_tab");
	lua_pushcfunction(L, l_allows_subsystem);
	lua_setfield(L, -2, "allows_subsystem");
	return 1;
}

static void open_core_modules(lua_State *L)
{
	static const char *const names[] = {"resty.core", "resty.core.base64", "resty.core.ctx",
	        "resty.core.exit", "resty.core.hash", "resty.core.misc", "resty.core.ndk",
	        "resty.core.phase", "resty.core.regex", "resty.core.request", "resty.core.response",
	        "resty.core.shdict", "resty.core.socket", "resty.core.time", "resty.core.uri",
	        "resty.core.utils", "resty.core.var", "resty.core.worker"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		lua_vm_preload(L, names[i], open_core);
	lua_vm_preload(L, "resty.core.base", open_base);
	lua_vm_preload(L, "ngx.re", ngx_re_module);
	lua_vm_preload(L, "ngx.base64", ngx_base64_module);
}

static void open_ngx(lua_State *L)
{
	static void (*const groups[])(lua_State *) = {ngx_const_open, ngx_log_open, ngx_req_open,
	        ngx_body_open, ngx_req_socket_open, ngx_resp_open, ngx_var_open, ngx_thread_open,
	        ngx_timer_open, ngx_semaphore_open, ngx_worker_open, ngx_config_open,
	        ngx_string_open, ngx_time_open, ngx_re_open, ngx_shared_open};
	lua_createtable(L, 0, 120);
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
		groups[i](L);
	ngx_fields_open(L);
	lua_setglobal(L, "ngx");
}

void lua_libraries_open(lua_State *L)
{
	lua_coroutine_open(L);
	open_ngx(L);
	open_core_modules(L);
}
