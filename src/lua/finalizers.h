/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Finalizers of scripts (__gc of newproxy() and ffi.metatype(), ffi.gc()) that raise an error:
 * LuaJIT throws it at whoever allocates just then, which may be a request that has nothing to do
 * with it. Here it is logged instead. Those that get by, such as the metatables of C modules, are
 * still only run inside of protected calls (vm.c). */

#include <lua.h>

/* One has raised the error on top of L. */
void lua_finalizers_tell(lua_State *L);
/* Once for each VM, before anything is required. */
void lua_finalizers_open(lua_State *L);
