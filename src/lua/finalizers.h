/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Finalizers of scripts (__gc of newproxy() and ffi.metatype(), ffi.gc()) that raise an error:
 * LuaJIT throws it at whoever allocates just then, which may be a request that has nothing to do
 * with it. Here it is logged instead. Those that get by, such as the metatables of C modules, are
 * still only run inside of protected calls (vm.c).
 *
 * And they run where the script is, or behind its turn, never within a function of ours that has
 * just allocated something: they may close or read what that function is at work on. */

#include <lua.h>
#include <stddef.h>

struct lua_vm;

/* One has raised the error on top of L. */
void lua_finalizers_tell(lua_State *L);
/* Those that were put off, vm->finalizers_due. In a protected call's place: no Lua runs. */
void lua_finalizers_run(struct lua_vm *vm);
/* For a __gc of ours, which a script can get hold of: its userdata, of that size; NULL: it was
 * called by hand with something else. What it has freed once is to be safe to use, and to free
 * again. */
void *lua_finalized(lua_State *L, lua_CFunction gc, size_t size);
/* Once for each VM, before anything is required. */
void lua_finalizers_open(lua_State *L);
