/* SPDX-License-Identifier: BSD-2-Clause */

/* What scripts find in a new VM: the ngx table with all its groups, `coroutine`, and modules that
 * they may require. */

#include "lua/compat.h"
#include "lua/finalizers.h"
#include "lua/ngx.h"
#include "lua/resty.h"
#include "lua/thread.h"
#include "lua/vm.h"

#include <lauxlib.h>

/* A function of a group of ngx, on top of the stack, is one of a module's too. */
static void share(lua_State *L, const char *group, const char *name, const char *module)
{
	lua_getfield(L, -1, group);
	compat_push_module(L, module);
	lua_getfield(L, -2, name);
	lua_setfield(L, -2, name);
	lua_pop(L, 2);
}

static void open_ngx(lua_State *L)
{
	static void (*const groups[])(lua_State *) = {ngx_const_open, ngx_log_open, ngx_req_open,
	        ngx_body_open, ngx_resp_open, ngx_var_open, ngx_thread_open, ngx_timer_open,
	        ngx_semaphore_open, ngx_worker_open, ngx_config_open, ngx_string_open,
	        ngx_time_open, ngx_ssl_client_open, ngx_re_open, ngx_shared_open,
	        ngx_socket_tcp_open, ngx_socket_udp_open, ngx_socket_req_open};
	lua_createtable(L, 0, 120);
	compat_open(L);
	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
		groups[i](L);
	ngx_fields_open(L);
	share(L, "req", "add_header", "ngx.req");
	lua_setglobal(L, "ngx");
}

void lua_libraries_open(lua_State *L)
{
	lua_finalizers_open(L);
	lua_coroutine_open(L);
	open_ngx(L);
	resty_open(L);
}
