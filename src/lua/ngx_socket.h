/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the files of ngx.socket share. */

#include "lua/socket.h"
#include "lua/values.h"

#include <lauxlib.h>

/* Where scripts may make sockets. */
enum { NGX_SOCKET_PHASES = LUA_PHASES_YIELD | LUA_PHASE_INIT_WORKER | LUA_PHASE_EXIT_WORKER };

/* Pushes the table of a new socket, without a metatable; of `size` bytes, zeroed, with struct
 * lua_socket first. Raises without memory. */
struct lua_socket *ngx_socket_new(lua_State *L, enum lua_socket_kind kind, size_t size);
/* From now on it is that request's, and ends with it. */
void ngx_socket_own(struct lua_socket *s, struct lua_request *r);
/* Whatever it is, it is no more. Calls no Lua. */
void ngx_socket_end(struct lua_socket *s);
/* Raises `bad request` in others than its own; one whose request has ended is closed for all. */
void ngx_socket_need_owner(lua_State *L, const struct lua_socket *s);
/* For a wait's cancel(): unless its request has ended, too, it is closed. */
void ngx_socket_killed(struct lua_socket *s);
/* `socket busy ...`, or NULL. */
const char *ngx_socket_busy(const struct lua_socket *s);
uint64_t ngx_socket_connect_ms(const struct lua_socket *s);

extern const luaL_Reg ngx_socket_methods[];  /* send, settimeout, settimeouts */
extern const luaL_Reg ngx_receive_methods[]; /* receive, receiveany, receiveuntil */
int ngx_receive_peek(lua_State *L);          /* peek: of the client's own */

/* ngx_socket_tcp.c, ngx_socket_req.c, ngx_socket_udp.c: the end of one. */
void ngx_tcp_close(struct lua_socket *s);
void ngx_req_socket_end(struct lua_socket *s);
void ngx_udp_end(struct lua_socket *s);
/* Somebody waits for its answer, or a datagram. */
bool ngx_udp_is_awaited(const struct lua_socket *s);
/* What has come of the body becomes input. */
void ngx_req_socket_pull(struct lua_socket *s);
