/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How coroutines wait. One worker's thread. Whatever a C function waits for, the scheduler
 * (lua/thread.h) alone resumes the coroutine that called it, so it can make whoever called it wait,
 * however deep in user coroutines, pcalls and iterators that was:
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
#include "net/wheel.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_wait;

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

/* For the scheduler: one that does not wait; and one that waits no more, if it did, which is told
 * to whom it waited for. */
void lua_wait_init(struct lua_wait *w, lua_State *L);
void lua_wait_cancel(struct lua_wait *w);
