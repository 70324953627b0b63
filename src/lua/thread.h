/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Coroutines and how they wait. One worker's thread.
 *
 * Every request has an entry thread, and may have light threads (ngx.thread.spawn) and user
 * coroutines. Nothing resumes a coroutine but the scheduler (thread.c): coroutine.resume,
 * coroutine.yield and spawn are switches that it makes. So a C function can make whoever
 * called it wait, however deep in user coroutines, pcalls and iterators that was:
 *
 *     static int l_receive(lua_State *L)
 *     {
 *             ...
 *             if (there is something already)
 *                     return push_results(L, ...);
 *             sock->reader = lua_wait_begin(L, &receive_ops, sock);   // may raise
 *             return lua_wait(L, sock->reader, sock->read_timeout_ms);
 *     }
 *
 * and later, from an event's callback:
 *
 *             struct lua_wait *w = sock->reader;
 *             sock->reader = NULL;
 *             lua_wake(w, push_results(w->L, ...));
 *
 * The results are pushed onto w->L, the stack of the waiting coroutine, which gets them as
 * the results of the C function. A coroutine waits for one thing at a time, so the wait
 * lies in it and costs no allocation. It ends in one of three ways, and is not to be
 * touched after:
 *
 *   lua_wake()     by whom it waited for
 *   ops->expire    its timeout has passed; pushes the results and returns their number
 *   ops->cancel    its thread was killed or its request has ended: forget it. Must not wake,
 *                  nor call Lua
 *
 * lua_wake() from an event's callback runs the coroutine before it returns, and with it
 * whatever the script does: closing the socket, ending the request. Look at nothing after
 * it that those may free (all of it lasts to the end of the worker's turn). From inside
 * Lua (a C function that wakes another coroutine, as semaphore:post does) the other one
 * runs later in this turn, once the caller waits or ends.
 *
 * C functions that cannot know whether they are called from a coroutine that may wait need
 * not care: lua_wait_begin() raises `attempt to yield across C-call boundary` or
 * `API disabled in the context of ...`.
 *
 * Memory: pushing onto a stack outside of Lua must not fail, or the process ends. Before
 * pushing a string whose size a peer decides, ask lua_vm_has_room() (vm.h). */

#include "base/list.h"
#include "base/slice.h"
#include "net/wheel.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_request;
struct lua_thread;
struct lua_vm;
struct lua_wait;
struct lua_worker;

enum { LUA_WAIT_ON = -1 };
struct lua_wait_ops {
	/* NULL when it is never given a timeout. LUA_WAIT_ON: it has moved deadline_ms instead. */
	int (*expire)(struct lua_wait *w);
	void (*cancel)(struct lua_wait *w);
};

struct lua_wait {
	const struct lua_wait_ops *ops; /* NULL = it does not wait */
	lua_State *L;
	void *owner;        /* whoever is waited for */
	struct list node;   /* for the owner's queue of waiters; then for the scheduler's */
	struct timer timer; /* lazy: it may fire early, or for a wait that is over */
	union {
		uint64_t deadline_ms; /* while it waits; 0 = none */
		/* Of a thread that is_granted: it was ended before it got the results. Must not
		 * call Lua; may wake others later. */
		void (*lost)(struct lua_wait *w);
	};
	uint32_t note[2]; /* the owner's own */
};

/* The wait of the coroutine that calls. Raises when it cannot wait here. */
struct lua_wait *lua_wait_begin(lua_State *L, const struct lua_wait_ops *ops, void *owner);
/* `return lua_wait(...)`. timeout_ms 0: for ever. The first argument (the object whose method this
 * is) stays on the stack, so that it is not collected meanwhile. A userdata that is waited for
 * stays itself: the object is a table that its script can tear apart. */
int lua_wait(lua_State *L, struct lua_wait *w, uint64_t timeout_ms);
/* The same with the first `keep` values. */
int lua_wait_keeping(lua_State *L, struct lua_wait *w, uint64_t timeout_ms, int keep);
/* The same for nothing but the worker's next turn. */
int lua_wait_turn(lua_State *L, struct lua_wait *w);
/* Whoever it waits for has no more to give: its time is over in the next turn. Calls no Lua. */
void lua_wait_hurry(struct lua_wait *w);
/* It goes on with n results, which are on top of w->L. */
void lua_wake(struct lua_wait *w, int n);
/* In front of either: `lost` is called when the results are never seen. */
void lua_wake_granting(struct lua_wait *w, void (*lost)(struct lua_wait *w));
/* The same in the worker's next turn. For work that would otherwise never let other
 * connections have their turn. */
void lua_wake_later(struct lua_wait *w, int n);

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

/* `file.lua:3: boom`: the error on top of L in words; and where L is, into buf. */
struct slice lua_error_text(lua_State *L);
size_t lua_where(lua_State *L, char *buf, size_t size);

/* Into the VM: `coroutine` as scripts on ngx_lua know it. */
void lua_coroutine_open(lua_State *L);
