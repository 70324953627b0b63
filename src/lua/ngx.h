/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The groups of the ngx API: a file each. An opener is called once for each VM with the
 * ngx table at the top of the stack, adds its names to it, and leaves the stack as it
 * was. What a group keeps for each VM lies in the registry or in upvalues, and is freed
 * with the VM. */

#include "base/slice.h"
#include "lua/ngx_re.h"
#include "lua/ngx_shared.h"
#include "lua/ngx_ssl.h"
#include "lua/ngx_string.h"
#include "lua/ngx_time.h"

#include <lua.h>
#include <stdbool.h>

/* What the modules that lua-resty-core would bring call their version. */
#define NGX_CORE_VERSION "0.1.25"

void ngx_const_open(lua_State *L);
void ngx_log_open(lua_State *L);
void ngx_fields_open(lua_State *L);
void ngx_req_open(lua_State *L);
void ngx_body_open(lua_State *L);
void ngx_resp_open(lua_State *L);
void ngx_var_open(lua_State *L);
void ngx_thread_open(lua_State *L);
void ngx_timer_open(lua_State *L);
void ngx_semaphore_open(lua_State *L);
void ngx_worker_open(lua_State *L);
void ngx_ssl_client_open(lua_State *L);
void ngx_config_open(lua_State *L);
void ngx_socket_tcp_open(lua_State *L);
void ngx_socket_udp_open(lua_State *L); /* after ngx_socket_tcp_open() */
void ngx_socket_req_open(lua_State *L); /* after ngx_req_open() */

/* What fields of ngx do, as functions of (ngx, key[, value]). */
int ngx_resp_get_status(lua_State *L);
int ngx_resp_set_status(lua_State *L);
int ngx_resp_headers_sent(lua_State *L);

struct lua_client;
/* The largest number of things that argument `arg` asks for; 0 = any. */
lua_Integer ngx_req_max(lua_State *L, int arg, lua_Integer standard);
/* Puts what the table on top of the stack holds, and nothing else, into the one at `to`, which
 * takes its place. */
void ngx_req_fill(lua_State *L, int to);
/* The query from now on; raises when it cannot be. */
void ngx_req_set_args(lua_State *L, struct lua_client *c, struct slice args);

/* A table as ngx.req.get_headers() returns it, with room for n; and one more field for the one on
 * top of the stack. */
void ngx_req_new_headers(lua_State *L, int n);
void ngx_req_add_header(lua_State *L, struct slice name, struct slice value, bool is_raw);
