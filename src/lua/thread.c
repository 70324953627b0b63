/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/thread.h"

#include "base/log.h"
#include "lua/ngx_log.h"
#include "lua/request.h"
#include "lua/thread_private.h"
#include "lua/vm.h"
#include "lua/words.h"
#include "lua/worker.h"

#include <assert.h>
#include <lauxlib.h>
#include <time.h>

enum { STATE_SIZE = 1024 }; /* of a new coroutine, about */

static const char no_room[] = "stack overflow (too many values)";

const char lua_no_yield[] = "attempt to yield across C-call boundary";

struct lua_thread lua_thread_gone = {.kind = LUA_LIGHT, .state = LUA_DEAD};

/* ---- life ---- */

/* A coroutine, used before or new. The memory limit is not for it, since nothing could be
 * raised on the state that it is made in. */
static lua_State *take_state(struct lua_vm *vm, int *anchor)
{
	lua_State *L;
	if (vm->idle_n == 0 && !lua_vm_make_room(vm, STATE_SIZE))
		return NULL;
	unsigned depth = lua_vm_pause(vm);
	if (vm->idle_n > 0) {
		*anchor = vm->idle[--vm->idle_n];
		lua_rawgeti(vm->L, LUA_REGISTRYINDEX, *anchor);
		L = lua_tothread(vm->L, -1);
		lua_pop(vm->L, 1);
	} else {
		L = lua_newthread(vm->L);
		*anchor = luaL_ref(vm->L, LUA_REGISTRYINDEX);
	}
	lua_vm_resume(vm, depth);
	return L;
}

static void give_state(struct lua_vm *vm, lua_State *L, int anchor, bool is_reusable)
{
	enum { IDLE_MAX = sizeof vm->idle / sizeof vm->idle[0] };
	if (is_reusable && lua_status(L) == 0 && vm->idle_n < IDLE_MAX) {
		lua_resetthread(vm->L, L);
		lua_settop(L, 0);
		vm->idle[vm->idle_n++] = anchor;
	} else {
		luaL_unref(vm->L, LUA_REGISTRYINDEX, anchor);
	}
}

static struct lua_thread *adopt(struct lua_request *r, enum lua_thread_kind kind, lua_State *L)
{
	struct lua_thread *t = pool_get(&r->vm->thread_pool);
	if (!t)
		return NULL;
	*t = (struct lua_thread){.request = r, .anchor = LUA_NOREF, .kind = (uint8_t)kind};
	list_append(&r->threads, &t->node);
	lua_wait_init(&t->wait, L);
	lua_setexdata(L, r);
	lua_setexdata2(L, t);
	return t;
}

struct lua_thread *lua_thread_new(struct lua_request *r, enum lua_thread_kind kind)
{
	int anchor;
	lua_State *L = take_state(r->vm, &anchor);
	struct lua_thread *t = L ? adopt(r, kind, L) : NULL;
	if (L && !t)
		give_state(r->vm, L, anchor, true);
	if (!t)
		return NULL;
	t->anchor = anchor;
	r->live++;
	return t;
}

void lua_thread_free(struct lua_thread *t)
{
	struct lua_request *r = t->request;
	struct lua_vm *vm = r->vm;
	assert(!t->wait.ops);
	if (vm->worker->worker)
		timer_clear(&vm->worker->worker->wheel, &t->wait.timer);
	list_remove(&t->node);
	list_remove(&t->wait.node);
	lua_setexdata(t->wait.L, NULL);
	lua_setexdata2(t->wait.L, t->kind == LUA_LIGHT ? &lua_thread_gone : NULL);
	if (t->anchor != LUA_NOREF)
		give_state(vm, t->wait.L, t->anchor, t->kind == LUA_ENTRY && !t->is_known);
	if (r->entry == t)
		r->entry = NULL;
	pool_put(&vm->thread_pool, t);
}

static void kill_one(struct lua_thread *t)
{
	struct lua_request *r = t->request;
	lua_wait_cancel(&t->wait);
	if (t->state == LUA_READY && t->is_granted)
		t->wait.lost(&t->wait);
	if (t->kind == LUA_USER && t->parent && t->parent->child == t)
		t->parent->child = NULL;
	bool is_over = t->state == LUA_ZOMBIE || t->state == LUA_DEAD;
	if (t->kind != LUA_USER && !is_over)
		r->live--;
	t->is_known |= !is_over; /* it stands in the middle of something */
	lua_thread_free(t);
}

void lua_thread_kill(struct lua_thread *t)
{
	struct lua_thread *at = t;
	while (at->child)
		at = at->child;
	while (at != t) {
		struct lua_thread *parent = at->parent;
		kill_one(at);
		at = parent;
	}
	kill_one(t);
}

void lua_thread_later(struct lua_thread *t, int n)
{
	struct lua_worker *lw = lua_thread_worker(t);
	lua_thread_make_ready(&lw->later, t, n);
	worker_timer(lw->worker, &lw->next_turn, lw->worker->now_ms);
}

/* ---- switches: what a coroutine yields for ---- */

void lua_thread_need_yield(lua_State *L)
{
	if (!lua_thread_can_yield(lua_thread_of(L), L))
		luaL_error(L, lua_no_yield);
}

static int switch_to(lua_State *L, enum lua_op op, struct lua_thread *target, int args, int keep)
{
	struct lua_worker *lw = lua_thread_worker(lua_thread_of(L));
	lw->op = (uint8_t)op;
	lw->target = target;
	lw->args = args;
	return lua_yield(L, keep);
}

/* ---- values from one coroutine to another ---- */

enum {
	ROOM_ALWAYS = 16, /* a C function has more than that */
	ROOM_MAX = LUAI_MAXCSTACK - 2 * ROOM_ALWAYS,
};

static int l_grow(lua_State *L)
{
	luaL_checkstack(L, *(const int *)lua_touserdata(L, 1), "too many values");
	return 0;
}

enum lua_room lua_thread_room(lua_State *L, struct lua_vm *vm, int n)
{
	if (n <= ROOM_ALWAYS)
		return LUA_ROOM;
	if (lua_gettop(L) + n > ROOM_MAX)
		return LUA_ROOM_TOO_MANY;
	unsigned depth = lua_vm_pause(vm);
	int status = lua_cpcall(L, l_grow, &n);
	lua_vm_resume(vm, depth);
	return status == 0 ? LUA_ROOM : LUA_ROOM_LOST;
}

static void run(struct lua_thread *t, int n, const struct lua_thread *until);

/* So much of the C stack is taken that another coroutine, which may take as much again as its own
 * stack allows, is too much. */
static bool is_deep(const struct lua_worker *lw)
{
	enum { NESTED_MAX = 2 * 1024 * 1024 };
	const char *here = __builtin_frame_address(0);
	return lw->stack_top - here > NESTED_MAX;
}

/* From under a C function that cannot yield: what the child waits for would never come
 * through it, so it must not wait. */
static int resume_nested(lua_State *L, struct lua_thread *t, struct lua_thread *child, int args)
{
	int before = lua_gettop(L);
	if (is_deep(lua_thread_worker(t))) {
		t->child = NULL;
		t->state = LUA_RUNNING;
		lua_thread_free(child);
		return luaL_error(L, "C stack overflow");
	}
	child->is_nested = true;
	run(child, args, t);
	return lua_gettop(L) - before;
}

int lua_thread_resume(lua_State *L, lua_State *co, int args)
{
	struct lua_thread *t = lua_thread_of(L);
	struct lua_thread *child = adopt(t->request, LUA_USER, co);
	if (!child)
		return luaL_error(L, "not enough memory");
	child->parent = t;
	child->is_nested = t->is_nested;
	t->child = child;
	t->state = LUA_NORMAL;
	if (!lua_isyieldable(L))
		return resume_nested(L, t, child, args);
	return switch_to(L, LUA_OP_RESUME, child, args, lua_gettop(L));
}

int lua_thread_spawn(lua_State *L, struct lua_thread *child, int args)
{
	return switch_to(L, LUA_OP_SPAWN, child, args, 1);
}

int lua_thread_yield(lua_State *L)
{
	struct lua_thread *t = lua_thread_of(L);
	bool is_user = t && t->wait.L == L && t->kind == LUA_USER;
	if (!lua_isyieldable(L) || (!is_user && !lua_thread_can_yield(t, L)))
		return luaL_error(L, lua_no_yield);
	if (!is_user)
		lua_request_in(L, LUA_PHASES_YIELD);
	return switch_to(L, LUA_OP_YIELD, NULL, 0, lua_gettop(L));
}

int lua_thread_exit(lua_State *L)
{
	lua_thread_need_yield(L);
	return switch_to(L, LUA_OP_EXIT, NULL, 0, 0);
}

/* ---- what a coroutine has come to; each returns who runs next, with *n on its stack ---- */

static struct lua_thread *ended(struct lua_thread *t, int status, int *n);

/* Moves `ok` and what t has on its stack to another thread, which waits for that or runs below it.
 * Returns how many those are. 0: it has no room for them, and ends with that error. */
static int hand_over(struct lua_thread *t, struct lua_thread *to, bool ok)
{
	bool is_waiting = lua_status(to->wait.L) == LUA_YIELD;
	int values = lua_gettop(t->wait.L);
	if (!ok)
		values = values > 0 ? 1 : 0;
	enum lua_room room = lua_thread_room(to->wait.L, to->request->vm, values + 1);
	if (room == LUA_ROOM) {
		lua_pushboolean(to->wait.L, ok);
		lua_xmove(t->wait.L, to->wait.L, values);
	}
	lua_settop(t->wait.L, 0);
	if (room == LUA_ROOM)
		return values + 1;
	to->is_known = true;
	if (room == LUA_ROOM_LOST && is_waiting)
		return 0;
	if (room == LUA_ROOM_LOST)
		lua_pop(to->wait.L, 1);
	lua_pushboolean(to->wait.L, false);
	lua_pushlstring(to->wait.L, no_room, sizeof no_room - 1);
	return 2;
}

/* To whoever resumed it: `ok` and what is on its stack. */
static struct lua_thread *back_to_parent(struct lua_thread *t, bool ok, int *n)
{
	struct lua_thread *parent = t->parent;
	*n = hand_over(t, parent, ok);
	parent->child = NULL;
	lua_thread_free(t);
	return *n > 0 ? parent : ended(parent, LUA_ERRRUN, n);
}

/* The parent, which waits for any of its children, gets the results of this one. */
static struct lua_thread *tell_parent(struct lua_thread *t, int *n)
{
	struct lua_thread *parent = lua_thread_of(t->spawner);
	lua_wait_cancel(&parent->wait);
	int values = hand_over(t, parent, !t->has_failed);
	lua_thread_free(t);
	if (values == 0)
		return ended(parent, LUA_ERRRUN, n);
	lua_thread_make_ready(&lua_thread_worker(parent)->ready, parent, values);
	return NULL;
}

static void log_failure(struct lua_thread *t, int status)
{
	const char *what = status == LUA_ERRMEM   ? "memory allocation error"
	                   : status == LUA_ERRERR ? "error handler error"
	                                          : "runtime error";
	counter_inc(&lua_thread_worker(t)->counters.lua_errors);
	lua_log_failure(t->wait.L, t->kind == LUA_ENTRY ? "entry" : "user", what,
	        lua_error_text(t->wait.L));
}

static struct lua_thread *end_light(struct lua_thread *t, bool ok, int *n)
{
	struct lua_request *r = t->request;
	t->has_failed = !ok;
	t->state = LUA_ZOMBIE;
	r->live--;
	if (t->is_awaited)
		return tell_parent(t, n);
	if (r->live == 0)
		lua_request_end(r, LUA_RETURNED);
	return NULL;
}

static struct lua_thread *end_entry(struct lua_thread *t, bool ok)
{
	struct lua_request *r = t->request;
	t->state = LUA_DEAD;
	r->live--;
	if (!ok || r->live == 0)
		lua_request_end(r, ok ? LUA_RETURNED : LUA_FAILED);
	else
		lua_thread_free(t);
	return NULL;
}

static struct lua_thread *ended(struct lua_thread *t, int status, int *n)
{
	bool ok = status == 0;
	if (t->kind == LUA_USER)
		return back_to_parent(t, ok, n);
	if (!ok)
		log_failure(t, status);
	return t->kind == LUA_LIGHT ? end_light(t, ok, n) : end_entry(t, ok);
}

static struct lua_thread *yielded(struct lua_thread *t, int *n)
{
	struct lua_worker *lw = lua_thread_worker(t);
	switch ((enum lua_op)lw->op) {
	case LUA_OP_WAIT:
		return NULL;
	case LUA_OP_RESUME:
		*n = lw->args;
		return lw->target;
	case LUA_OP_SPAWN:
		lua_thread_make_ready(&lw->ready, t, 1);
		list_remove(&t->wait.node);
		list_append(lw->ready.next, &t->wait.node);
		*n = lw->args;
		return lw->target;
	case LUA_OP_EXIT:
		lua_request_end(t->request, LUA_EXITED);
		return NULL;
	case LUA_OP_YIELD:
		break;
	}
	if (t->kind == LUA_USER)
		return back_to_parent(t, true, n);
	lua_settop(t->wait.L, 0);
	lua_thread_later(t, 0);
	return NULL;
}

static uint64_t coarse_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell_stall(const struct lua_thread *t, uint64_t ms)
{
	char where[200];
	struct log_line l;
	counter_inc(&lua_thread_worker(t)->counters.lua_stalls);
	log_begin(&l, LOG_LEVEL_WARN, "lua_stall");
	log_unum(&l, "ms", ms);
	log_text(&l, "script", t->request->script ? t->request->script->path : "-");
	log_text(&l, "phase", lua_phase_name(t->request->phase));
	lua_where(t->wait.L, where, sizeof where);
	log_text(&l, "until", where[0] ? where : "returned");
	log_end(&l);
}

/* Lua has come back; looks how long it has run with all that it has switched to. */
static void look_for_stall(const struct lua_thread *t)
{
	struct lua_worker *lw = lua_thread_worker(t);
	uint64_t now_ms = coarse_ms(), ms = now_ms - lw->run_since_ms;
	lw->looked_ms = now_ms;
	if (ms == 0)
		return;
	uint32_t limit = lua_handlers_settings(t->request->vm->set)->stall_ms;
	if (!limit || ms < limit)
		return;
	tell_stall(t, ms);
	lw->run_since_ms = now_ms;
}

/* Runs t and whatever it switches to, until all of that waits or has ended, or it is
 * `until`'s turn. */
static void run(struct lua_thread *t, int n, const struct lua_thread *until)
{
	while (t != until && t) {
		struct lua_vm *vm = t->request->vm;
		t->state = LUA_RUNNING;
		vm->worker->op = LUA_OP_YIELD;
		vm->worker->running = t->request;
		lua_State *below = vm->running;
		vm->running = t->wait.L;
		lua_vm_enter(vm);
		int status = lua_resume(t->wait.L, n);
		vm->running = below;
		lua_vm_leave(vm, status);
		look_for_stall(t);
		t = status == LUA_YIELD ? yielded(t, &n) : ended(t, status, &n);
	}
	if (until && t)
		t->state = LUA_RUNNING;
}

/* Those that wake each other without end leave the others their turn. */
static bool leave_rest(struct lua_worker *lw, unsigned n)
{
	enum { AT_ONCE_MAX = 2000 };
	if (n < AT_ONCE_MAX || !lw->worker)
		return false;
	list_take(&lw->later, &lw->ready);
	worker_timer(lw->worker, &lw->next_turn, lw->worker->now_ms);
	return true;
}

static inline void run_one(struct lua_worker *lw, struct lua_thread *t, int n)
{
	t->is_granted = false;
	lw->run_since_ms = lw->looked_ms;
	atomic_store_explicit(&lw->busy_with, t->request->script ? t->request->script->path : "",
	        memory_order_relaxed);
	atomic_store_explicit(&lw->busy_since_ms, lw->run_since_ms, memory_order_relaxed);
	run(t, n, NULL);
}

/* `first` with n results, if it is not NULL; then whatever is ready. */
static void run_all(struct lua_worker *lw, struct lua_thread *first, int n)
{
	lw->is_running = true;
	lw->stack_top = __builtin_frame_address(0);
	lw->began_ms = lw->looked_ms = coarse_ms();
	if (first)
		run_one(lw, first, n);
	for (unsigned i = 0; !list_is_empty(&lw->ready) && !leave_rest(lw, i); i++) {
		struct lua_thread *t = list_entry(lw->ready.next, struct lua_thread, wait.node);
		list_remove(&t->wait.node);
		run_one(lw, t, t->results);
	}
	atomic_store_explicit(&lw->busy_since_ms, 0, memory_order_relaxed);
	lw->is_running = false;
	lua_worker_turn_end(lw);
}

void lua_run_ready(struct lua_worker *lw)
{
	run_all(lw, NULL, 0);
}

void lua_thread_start(struct lua_thread *t, int args)
{
	struct lua_worker *lw = lua_thread_worker(t);
	if (lw->is_running || !list_is_empty(&lw->ready)) {
		lua_thread_make_ready(&lw->ready, t, args);
		if (!lw->is_running)
			lua_run_ready(lw);
		return;
	}
	run_all(lw, t, args);
}

void lua_thread_run_now(struct lua_thread *t, int args)
{
	struct lua_worker *lw = lua_thread_worker(t);
	bool was_running = lw->is_running;
	struct lua_request *below = lw->running;
	lw->is_running = true;
	if (!was_running)
		lw->stack_top = __builtin_frame_address(0);
	lw->run_since_ms = lw->looked_ms = coarse_ms();
	run(t, args, NULL);
	lw->is_running = was_running;
	lw->running = below;
	if (!was_running)
		lua_run_ready(lw);
}
