/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/wait.h"

#include "lua/thread_private.h"

#include <assert.h>
#include <lauxlib.h>

static struct lua_thread *waiting(struct lua_wait *w)
{
	return list_entry(w, struct lua_thread, wait);
}

static void on_timer(struct timer *timer)
{
	struct lua_wait *w = list_entry(timer, struct lua_wait, timer);
	struct worker *worker = lua_thread_worker(waiting(w))->worker;
	if (!w->ops || w->deadline_ms == 0)
		return;
	if (worker->now_ms < w->deadline_ms) {
		worker_timer(worker, timer, w->deadline_ms);
		return;
	}
	int n = w->ops->expire(w);
	if (n == LUA_WAIT_ON)
		worker_timer(worker, timer, w->deadline_ms);
	else
		lua_wake(w, n);
}

void lua_wait_init(struct lua_wait *w, lua_State *L)
{
	*w = (struct lua_wait){.L = L};
	list_init(&w->node);
	timer_init(&w->timer, on_timer);
}

void lua_wait_cancel(struct lua_wait *w)
{
	const struct lua_wait_ops *ops = w->ops;
	w->ops = NULL;
	if (ops)
		ops->cancel(w);
}

struct lua_wait *lua_wait_begin(lua_State *L, const struct lua_wait_ops *ops, void *owner)
{
	struct lua_thread *t = lua_thread_of(L);
	if (!t || !(t->request->phase & LUA_PHASES_YIELD))
		lua_request_in(L, LUA_PHASES_YIELD);
	if (!lua_thread_can_yield(t, L))
		luaL_error(L, lua_no_yield);
	assert(!t->wait.ops);
	t->wait.ops = ops;
	t->wait.owner = owner;
	t->wait.deadline_ms = 0;
	return &t->wait;
}

static int yield_waiting(lua_State *L, int keep)
{
	int top = lua_gettop(L);
	if (top <= keep)
		return lua_yield(L, top);
	lua_settop(L, keep);
	return lua_yield(L, keep);
}

int lua_wait_keeping(lua_State *L, struct lua_wait *w, uint64_t timeout_ms, int keep)
{
	struct lua_thread *t = waiting(w);
	struct lua_worker *lw = lua_thread_worker(t);
	t->state = LUA_WAITING;
	lw->op = LUA_OP_WAIT;
	if (timeout_ms > 0) {
		w->deadline_ms = lw->worker->now_ms + timeout_ms;
		if (!timer_is_set(&w->timer) || w->timer.deadline_ms > w->deadline_ms)
			worker_timer(lw->worker, &w->timer, w->deadline_ms);
	}
	return yield_waiting(L, keep);
}

int lua_wait(lua_State *L, struct lua_wait *w, uint64_t timeout_ms)
{
	return lua_wait_keeping(L, w, timeout_ms, 1);
}

void lua_wait_hurry(struct lua_wait *w)
{
	struct worker *worker = lua_thread_worker(waiting(w))->worker;
	w->deadline_ms = worker->now_ms;
	worker_timer(worker, &w->timer, w->deadline_ms);
}

void lua_wake(struct lua_wait *w, int n)
{
	struct lua_thread *t = waiting(w);
	w->ops = NULL;
	lua_thread_start(t, n);
}

void lua_wake_granting(struct lua_wait *w, void (*lost)(struct lua_wait *w))
{
	waiting(w)->is_granted = true;
	w->lost = lost;
}

void lua_wake_later(struct lua_wait *w, int n)
{
	w->ops = NULL;
	lua_thread_later(waiting(w), n);
}

int lua_wait_turn(lua_State *L, struct lua_wait *w)
{
	struct lua_thread *t = waiting(w);
	lua_thread_worker(t)->op = LUA_OP_WAIT;
	w->ops = NULL;
	lua_thread_later(t, 0);
	return yield_waiting(L, 1);
}
