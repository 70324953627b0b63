/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Coroutines. One worker's thread.
 *
 * Every request has an entry thread, and may have light threads (ngx.thread.spawn) and user
 * coroutines. Nothing resumes a coroutine but the scheduler (thread.c): coroutine.resume,
 * coroutine.yield and spawn are switches that it makes. How a coroutine waits is in lua/wait.h. */

#include "base/list.h"
#include "lua/wait.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_request;
struct lua_thread;
struct lua_vm;
struct lua_worker;

enum lua_thread_kind { LUA_ENTRY, LUA_LIGHT, LUA_USER };

enum lua_thread_state {
	LUA_RUNNING, /* is on the C stack, or about to be */
	LUA_READY,   /* in the queue of those to be resumed, with `results` */
	LUA_WAITING, /* its wait says for what */
	LUA_NORMAL,  /* has resumed another coroutine, or spawned one that runs */
	LUA_ZOMBIE,  /* a light thread that has ended and was not waited for */
	LUA_DEAD,
};

/* A coroutine while it is under way: one for each connection that a script has, so it is small.
 * Entry and light threads have one for their life; a user coroutine while it is resumed. exdata of
 * its lua_State is its request, exdata2 this. */
struct lua_thread {
	struct lua_wait wait; /* its L is the coroutine; its node is READY's place in the queue */
	struct lua_request *request;
	union {
		struct lua_thread *parent; /* of a user coroutine: who resumed it */
		lua_State *spawner; /* of a light thread; it may be gone, unless is_awaited */
	};
	struct lua_thread *child; /* NORMAL: the user coroutine that it has resumed */
	struct list node;         /* request->threads */
	int anchor;               /* reference in the registry; LUA_NOREF for user coroutines */
	int results;              /* READY: so many on its stack are for it */
	uint8_t kind, state;
	bool is_nested;  /* below a C function that cannot yield: it must not wait */
	bool has_failed; /* ZOMBIE */
	bool is_granted; /* READY: what it was woken with is taken back if it ends before, by `lost`
	                  */
	bool is_awaited; /* the parent is in ngx.thread.wait() for it */
	bool is_known;   /* scripts may hold the coroutine: it is not used again */
};

/* A new thread of that kind with an empty stack, on the list of its request. NULL: the VM
 * is out of memory. */
struct lua_thread *lua_thread_new(struct lua_request *r, enum lua_thread_kind kind);
/* Starts one that has a function and `args` arguments on its stack. Before it returns
 * everything has run that can, unless Lua is running already. */
void lua_thread_start(struct lua_thread *t, int args);
/* Ends it wherever it is: its wait is cancelled. For a light thread also those it is the parent of
 * stay. */
void lua_thread_kill(struct lua_thread *t);
/* The one that runs in L, or NULL (the VM's own state, in init). */
static inline struct lua_thread *lua_thread_of(lua_State *L)
{
	return lua_getexdata2(L);
}
/* exdata2 of a light thread that is no more, for those who hold its coroutine. */
extern struct lua_thread lua_thread_gone;
/* The thread whose coroutine `co` is, or NULL; of coroutines that do not run, too. */
static inline struct lua_thread *lua_thread_at(lua_State *co)
{
	struct lua_thread *t = lua_getexdata2(co);
	return t && t != &lua_thread_gone && t->wait.L == co ? t : NULL;
}
static inline bool lua_thread_is_gone(lua_State *co)
{
	return lua_getexdata2(co) == &lua_thread_gone;
}

/* Ends the request from inside a C function: `return lua_thread_exit(L)`. No
 * pcall holds it up. */
int lua_thread_exit(lua_State *L);

/* Switches, for coroutine.c and ngx_thread.c: `return lua_thread_...(L)`.
 * resume: `child` has `args` on its stack, and is or becomes L's user coroutine.
 * spawn: `child` runs first, then L goes on with the value on top of its stack.
 * yield: all of L's stack goes to whoever resumed it; an entry or light thread goes on in the
 * next turn. */
int lua_thread_resume(lua_State *L, lua_State *child, int args);
int lua_thread_spawn(lua_State *L, struct lua_thread *child, int args);
int lua_thread_yield(lua_State *L);
/* Raises when L is not a coroutine that can be switched away from. */
void lua_thread_need_yield(lua_State *L);
/* Room for n more values on the stack of a coroutine that waits, runs below this one, or has not
 * begun. LOST: it has been called too deeply for that. It has the error on top, and if it waited
 * it can no more be resumed, only end. */
enum lua_room { LUA_ROOM, LUA_ROOM_TOO_MANY, LUA_ROOM_LOST };
enum lua_room lua_thread_room(lua_State *L, struct lua_vm *vm, int n);
/* Frees a zombie that was waited for, or any that is done. */
void lua_thread_free(struct lua_thread *t);
/* The same at once, even from a callback of the scheduler: for what must not outlast it. */
void lua_thread_run_now(struct lua_thread *t, int args);
/* Runs whatever is ready; nothing of it on the C stack yet. */
void lua_run_ready(struct lua_worker *lw);

/* Into the VM: `coroutine` as scripts on ngx_lua know it. */
void lua_coroutine_open(lua_State *L);
