/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the scheduler (thread.c) and waiting (wait.c) both know of a coroutine. */

#include "lua/request.h"
#include "lua/thread.h"
#include "lua/vm.h"
#include "lua/worker.h"

/* Why a coroutine has yielded. */
enum lua_op {
	LUA_OP_YIELD, /* as coroutine.yield does; and whatever C modules may do */
	LUA_OP_WAIT,
	LUA_OP_RESUME, /* worker->target is the user coroutine */
	LUA_OP_SPAWN,  /* worker->target is the light thread */
	LUA_OP_EXIT,
};

extern const char lua_no_yield[]; /* the error of who cannot */

static inline struct lua_worker *lua_thread_worker(const struct lua_thread *t)
{
	return t->request->vm->worker;
}

static inline bool lua_thread_can_yield(const struct lua_thread *t, lua_State *L)
{
	return t && t->wait.L == L && !t->is_nested && lua_isyieldable(L);
}

/* Into the queue `ready` or `later`, with n results on its stack. */
static inline void lua_thread_make_ready(struct list *queue, struct lua_thread *t, int n)
{
	t->state = LUA_READY;
	t->results = n;
	list_append(queue, &t->wait.node);
}

/* In the worker's next turn. */
void lua_thread_later(struct lua_thread *t, int n);
