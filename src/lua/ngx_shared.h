/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* ngx.shared: the dictionaries of lua/shared_dict.h, in one VM. */

#include "lua/shared_dict.h"

#include <lua.h>

/* See lua/ngx.h. */
void ngx_shared_open(lua_State *L);
/* Makes `dict` ngx.shared[name], after ngx_shared_open() and with ngx on the stack as there. The VM
 * takes a hold of it. */
void ngx_shared_add(lua_State *L, const char *name, struct shared_dict *dict);
/* Milliseconds by which things expire, clock_ms() at first; of all VMs of a process, for tests. */
void ngx_shared_set_clock(uint64_t (*ms)(void));
