/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* resty.websocket.protocol, .server and .client, also as nginx.websocket.*. */

#include <lua.h>
#include <stdbool.h>

/* Into package.preload. Once for each VM. */
void resty_open(lua_State *L);

/* The modules' openers: each pushes its table. */
int resty_protocol_module(lua_State *L);
int resty_server_module(lua_State *L);
int resty_client_module(lua_State *L);

/* resty_object.c: the methods that the objects of servers and clients share, into the table on top
 * of the stack, and what goes beyond lua-resty-websocket into its metatable. */
void resty_object_methods(lua_State *L, int is_client);
/* resty_methods.c: what is Lua of them. On the stack are the methods, their metatable, what goes
 * beyond the library, and a table of C functions, `foreign`, `await` and `wait`, which is popped.
 */
void resty_methods(lua_State *L, int is_client);
/* Runs Lua text with the values on top of the stack, n of them, as its arguments. */
void resty_run(lua_State *L, const char *text, const char *name, int args, int results);
/* (sock): its frames, for the object's slot; nil: not a native socket. */
int resty_frames(lua_State *L);
/* What goes beyond the library in the options of new(), which are in slot `opts`; in slot `max` is
 * what it may receive. */
struct lua_frames;
void resty_options(lua_State *L, struct lua_frames *f, int opts, int max, bool masks);

#define RESTY_VERSION "0.13"
/* Where an object keeps its socket's frames. */
enum { RESTY_OBJECT_SLOT = 1 };
