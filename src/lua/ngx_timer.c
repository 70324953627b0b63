/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_timer.h"

#include "base/log.h"
#include "base/mem.h"
#include "lua/ngx.h"
#include "lua/ngx_log.h"
#include "lua/request.h"
#include "lua/values.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdio.h>

enum { ARGS_MAX = LUAI_MAXCSTACK - 100 }; /* a C function cannot pass on more */

struct lua_timer {
	struct timer timer;
	struct list node;   /* vm->timers */
	struct lua_vm *vm;  /* used */
	const char *origin; /* of the request that has made it */
	int call;           /* reference of a table: the function and its arguments */
	int n;              /* of them */
	uint64_t period_ms; /* 0 = once */
};

static void timer_free(struct lua_timer *t)
{
	struct lua_vm *vm = t->vm;
	timer_clear(&vm->worker->worker->wheel, &t->timer);
	list_remove(&t->node);
	luaL_unref(vm->L, LUA_REGISTRYINDEX, t->call);
	vm->pending_timers--;
	mem_free(t);
	lua_vm_unref(vm);
}

static void on_done(struct lua_request *r, enum lua_outcome outcome)
{
	(void)outcome;
	r->vm->running_timers--;
	lua_request_free(r);
}

static void complain(struct lua_vm *vm)
{
	char text[80];
	int n = snprintf(text, sizeof text, "%u lua_max_running_timers are not enough",
	        lua_handlers_settings(vm->set)->max_running_timers);
	lua_log_text(LOG_LEVEL_ERROR, NULL, NULL, slice_of(text, (size_t)n));
}

static void call(struct lua_timer *t, bool is_premature)
{
	struct lua_vm *vm = t->vm;
	struct lua_request *r = NULL;
	if (vm->running_timers >= lua_handlers_settings(vm->set)->max_running_timers) {
		complain(vm);
		return;
	}
	r = lua_request_new(vm, LUA_PHASE_TIMER);
	if (!r)
		return;
	r->done = on_done;
	r->origin = t->origin;
	vm->running_timers++;
	counter_inc(&vm->worker->counters.lua_timers);
	struct lua_thread *entry = lua_request_entry(r);
	if (!entry)
		return;
	if (!lua_checkstack(entry->wait.L, t->n + 3)) {
		lua_request_cancel(r);
		return;
	}
	lua_rawgeti(entry->wait.L, LUA_REGISTRYINDEX, t->call);
	lua_rawgeti(entry->wait.L, 1, 1);
	lua_pushboolean(entry->wait.L, is_premature);
	for (int i = 2; i <= t->n; i++)
		lua_rawgeti(entry->wait.L, 1, i);
	lua_remove(entry->wait.L, 1);
	lua_thread_start(entry, t->n);
}

static void on_fire(struct timer *timer)
{
	struct lua_timer *t = list_entry(timer, struct lua_timer, timer);
	struct lua_vm *vm = t->vm;
	lua_vm_ref(vm);
	if (t->period_ms && !vm->is_leaving) {
		worker_timer(vm->worker->worker, timer, vm->worker->worker->now_ms + t->period_ms);
		call(t, false);
	} else {
		call(t, vm->is_leaving);
		timer_free(t);
	}
	lua_vm_unref(vm);
}

/* ---- making ---- */

/* The function and its arguments, from the second on, as one table. */
static int pack_call(lua_State *L)
{
	int n = lua_gettop(L) - 1;
	lua_createtable(L, n, 0);
	for (int i = 1; i <= n; i++) {
		lua_pushvalue(L, i + 1);
		lua_rawseti(L, -2, i);
	}
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

static int make(lua_State *L, bool is_every)
{
	const struct lua_request *r = lua_request_in(L, ~(unsigned)LUA_PHASE_INIT);
	struct lua_vm *vm = r->vm;
	lua_Number delay = luaL_checknumber(L, 1);
	luaL_argcheck(L, delay >= 0 && delay < 1e10, 1, "invalid delay");
	luaL_checktype(L, 2, LUA_TFUNCTION);
	luaL_argcheck(L, lua_gettop(L) <= ARGS_MAX, ARGS_MAX + 1, "too many arguments");
	uint64_t ms = (uint64_t)(delay * 1000 + 0.5);
	if (is_every && ms == 0)
		return luaL_error(L, "delay cannot be zero");
	if (vm->is_leaving && ms > 0)
		return lua_fail(L, "process exiting");
	if (vm->pending_timers >= lua_handlers_settings(vm->set)->max_pending_timers)
		return lua_fail(L, "too many pending timers");
	int n = lua_gettop(L) - 1, packed = pack_call(L);
	struct lua_timer *t = mem_try(sizeof *t);
	if (!t) {
		luaL_unref(L, LUA_REGISTRYINDEX, packed);
		return lua_fail(L, "no memory");
	}
	*t = (struct lua_timer){.vm = vm,
	        .origin = r->origin,
	        .call = packed,
	        .n = n,
	        .period_ms = is_every ? ms : 0};
	lua_vm_ref(vm);
	vm->pending_timers++;
	list_append(&vm->timers, &t->node);
	timer_init(&t->timer, on_fire);
	worker_timer(vm->worker->worker, &t->timer, vm->worker->worker->now_ms + ms);
	lua_pushinteger(L, 1);
	return 1;
}

static int l_at(lua_State *L)
{
	return make(L, false);
}

static int l_every(lua_State *L)
{
	return make(L, true);
}

static int l_running_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lua_vm_of(L)->running_timers);
	return 1;
}

static int l_pending_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lua_vm_of(L)->pending_timers);
	return 1;
}

void ngx_timer_open(lua_State *L)
{
	static const luaL_Reg functions[] = {{"at", l_at}, {"every", l_every},
	        {"running_count", l_running_count}, {"pending_count", l_pending_count},
	        {NULL, NULL}};
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_setfield(L, -2, "timer");
}

/* ---- ending ---- */

void ngx_timer_leave(struct lua_vm *vm)
{
	struct list pending;
	lua_vm_ref(vm);
	vm->is_leaving = true;
	list_init(&pending);
	list_take(&pending, &vm->timers);
	while (!list_is_empty(&pending)) {
		struct lua_timer *t = list_entry(pending.next, struct lua_timer, node);
		call(t, true);
		timer_free(t);
	}
	lua_vm_unref(vm);
}

static void abort_vm(struct lua_vm *vm)
{
	vm->is_leaving = true;
	while (!list_is_empty(&vm->requests))
		lua_request_cancel(list_entry(vm->requests.next, struct lua_request, node));
	while (!list_is_empty(&vm->timers))
		timer_free(list_entry(vm->timers.next, struct lua_timer, node));
}

void ngx_timer_abort(struct lua_worker *lw)
{
	while (!list_is_empty(&lw->vms)) {
		struct lua_vm *vm = list_entry(lw->vms.next, struct lua_vm, node);
		lua_vm_ref(vm);
		abort_vm(vm);
		assert(vm->users == 1);
		lua_vm_unref(vm);
	}
}
