/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A Lua VM: one per worker and handler set (with lua_code_cache = off one per request).
 * It lives as long as its worker uses the set, or a request or timer in it has not ended.
 * One worker's thread (or the control thread, for a check).
 *
 * Native modules: lua_vm_preload(L, "resty.websocket.server", open_fn) in lua_libraries_open()
 * (libraries.c) puts an opener into package.preload; it runs at the first require.
 * A group of the ngx table has an opener in ngx.h and a line in lua_libraries_open(). What a
 * group keeps for each VM lies in the registry, under the address of a static as lightuserdata. */

#include "base/list.h"
#include "base/pool.h"
#include "lua/blocks.h"
#include "lua/handlers.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua_request;
struct lua_worker;

struct lua_vm {
	lua_State
	        *L; /* the main state: only for loading, and as the place of registry and globals */
	struct lua_worker *worker;
	struct lua_handlers *set; /* referenced */
	struct list node;         /* worker->vms */
	unsigned users;           /* requests and timers under way, and the worker */
	int *script;  /* by number: a reference to a function that makes a request's function */
	int env_meta; /* the metatable of requests' globals */
	int idle[64]; /* anchors of coroutines that can be used again */
	unsigned idle_n;
	int frame_types[16]; /* references to the names of frames' types, by opcode (frames.c) */
	unsigned depth;      /* of protected calls: only in them may memory be refused, or the
	                        collector run finalizers */
	size_t *gc_threshold, gc_due;   /* when it takes its next step (vm_memory.c) */
	bool is_exhausted;              /* it was: a full collection is due */
	lua_CFunction collectgarbage;   /* Lua's own, as a function of C */
	unsigned finalizers_due;        /* of scripts, put off until no Lua runs */
	lua_State *running;             /* the coroutine on top of the C stack, or NULL */
	struct lua_request *hook_owner; /* who has called debug.sethook(); NULL: nobody, or init */
	bool is_leaving; /* replaced or stopping: timers are premature, new ones refused */
	bool is_ready;   /* init has run */
	size_t memory, memory_max,
	        memory_calm; /* calm: what was left by the last full collection */
	struct pool thread_pool, request_pool, client_pool;
	void *(*alloc)(void *ud, void *p, size_t old, size_t size); /* LuaJIT's own */
	void *alloc_ud;
	struct lua_blocks blocks; /* that were freed; not in `memory` */
	/* Timers (ngx_timer.c). */
	struct list timers;
	struct list requests; /* all, by lua_request.node */
	unsigned pending_timers, running_timers;
};

/* Makes a VM, loads all of the set's scripts and runs init. NULL with why. */
struct lua_vm *lua_vm_new(struct lua_worker *w, struct lua_handlers *set, char why[LUA_WHY_MAX]);
void lua_vm_ref(struct lua_vm *vm);
void lua_vm_unref(struct lua_vm *vm);
struct lua_vm *lua_vm_of(lua_State *L);

/* Whether so many bytes may still be taken: before something big is pushed outside of Lua. */
bool lua_vm_has_room(lua_State *L, size_t bytes);
/* So little is left that even something small has to be asked for. */
static inline bool lua_vm_is_tight(const struct lua_vm *vm)
{
	enum { SMALL = 16 * 1024 };
	return vm->memory_max && vm->memory + SMALL > vm->memory_max;
}
/* The same, and makes room by a full collection if that is what it takes and no Lua runs. */
bool lua_vm_make_room(struct lua_vm *vm, size_t bytes);
/* Counts its memory from now on, and limits it. */
void lua_vm_count(struct lua_vm *vm);
/* Around every lua_resume() and lua_pcall(). */
void lua_vm_enter(struct lua_vm *vm);
void lua_vm_leave(struct lua_vm *vm, int status);
/* Around what allocates in another state than that which runs: for that it is as if none ran.
 * pause returns what resume is to be given. */
unsigned lua_vm_pause(struct lua_vm *vm);
void lua_vm_resume(struct lua_vm *vm, unsigned depth);

/* The first line of an error, with the whole path of the script where Lua has shortened it. */
void lua_say_why(struct slice text, const char *path, char why[LUA_WHY_MAX]);

void lua_vm_preload(lua_State *L, const char *name, lua_CFunction open);
/* Pushes a new instance of the script's function, with globals of its own. False: an error
 * instead. */
bool lua_vm_push_script(struct lua_vm *vm, lua_State *to, const struct lua_script *s);

/* libraries.c: everything that scripts find. */
void lua_libraries_open(lua_State *L);
