/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "lua/client.h"
#include "lua/frames_fast.h"
#include "lua/input.h"
#include "lua/ngx_socket_tcp.h"
#include "lua/ngx_timer.h"
#include "lua/output.h"
#include "lua/request.h"
#include "lua/vm.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

const struct counter_info lua_counter_info[] = {LUA_COUNTERS(COUNTER_INFO)};
const unsigned lua_counter_n = sizeof lua_counter_info / sizeof *lua_counter_info;

_Atomic int lua_worker_tid[LUA_WORKERS_MAX];

static void on_next_turn(struct timer *t)
{
	struct lua_worker *lw = list_entry(t, struct lua_worker, next_turn);
	list_take(&lw->ready, &lw->later);
	lua_run_ready(lw);
}

void lua_worker_init(struct lua_worker *lw, struct worker *w)
{
	*lw = (struct lua_worker){.worker = w};
	list_init(&lw->vms);
	list_init(&lw->ready);
	list_init(&lw->later);
	list_init(&lw->lingering);
	timer_init(&lw->next_turn, on_next_turn);
}

void lua_worker_fini(struct lua_worker *lw)
{
	if (lw->worker)
		timer_clear(&lw->worker->wheel, &lw->next_turn);
	assert(lw->late.n == 0);
	mem_free(lw->out.bytes);
	mem_free(lw->late.bytes);
	mem_free(lw->small);
	mem_free(lw->scratch.at);
	mem_free(lw->datagram);
}

struct lua_worker *lua_worker_new(struct worker *w, unsigned workers)
{
	struct lua_worker *lw = mem_new(sizeof *lw);
	lua_worker_init(lw, w);
	lw->workers = workers;
	if (w->index < LUA_WORKERS_MAX)
		atomic_store(&lua_worker_tid[w->index], gettid());
	lw->out.bytes = mem_new(LUA_OUT_SIZE);
	lw->late.bytes = mem_new(LUA_LATE_SIZE);
	lw->small = mem_new(LUA_FAST_MAX);
	lw->pools = keepalive_new(w);
	w->layer[WORKER_LUA] = lw;
	handler_set_ops(w->layer[WORKER_PROXY], &lua_handler_ops);
	return lw;
}

enum { WALL_STALE_MS = 1000, WALL_BACK_MS = 20 };

static uint64_t now_of(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The turn's time, as far as it is later than when the wall clock was read. */
static uint64_t told_ms(const struct lua_worker *lw, uint64_t turn_ms)
{
	return lw->wall_ms + (turn_ms > lw->wall_at_ms ? turn_ms - lw->wall_at_ms : 0);
}

/* Whoever asks when most of a turn is over is told its begin all the same: from there a sleep is
 * measured, which would be too short else. */
static void read_wall(struct lua_worker *lw, uint64_t turn_ms, bool renew)
{
	lw->wall_ms = now_of(CLOCK_REALTIME);
	lw->wall_at_ms = turn_ms ? worker_running_ms(lw->worker) : 0;
	if (!renew && lw->wall_at_ms > turn_ms) {
		lw->wall_ms -= lw->wall_at_ms - turn_ms;
		lw->wall_at_ms = turn_ms;
	}
}

uint64_t lua_worker_wall_ms(void *owner, bool renew)
{
	struct lua_worker *lw = owner;
	if (renew && lw->worker)
		worker_read_clock_now(lw->worker);
	uint64_t turn_ms = lw->worker ? lw->worker->now_ms : 0;
	uint64_t told = told_ms(lw, turn_ms);
	if (renew || !lw->wall_ms || !turn_ms || turn_ms > lw->wall_at_ms + WALL_STALE_MS) {
		read_wall(lw, turn_ms, renew);
		/* Two clocks were cut to milliseconds, and each may be adjusted a little: time must
		 * not go back for that. */
		if (told > lw->wall_ms && told - lw->wall_ms <= WALL_BACK_MS)
			lw->wall_ms = told;
		told = told_ms(lw, turn_ms);
	}
	return told;
}

void lua_worker_turn_end(struct lua_worker *lw)
{
	bool was_short = lw->looked_ms == lw->began_ms;
	if (lw->out.owner || lw->late.n > 0)
		lua_output_turn_end(lw, was_short);
}

/* ---- the VM for what begins from now on ---- */

static void on_done(struct lua_request *r, enum lua_outcome outcome)
{
	(void)outcome;
	lua_request_free(r);
}

/* init_worker and exit_worker: errors are in the log, and the worker goes on. */
static void run_own(struct lua_vm *vm, enum lua_script_kind kind, enum lua_phase phase)
{
	const struct lua_script *s = lua_handlers_own(vm->set, kind);
	struct lua_request *r = s ? lua_request_new(vm, phase) : NULL;
	if (!r)
		return;
	r->done = on_done;
	lua_request_start(r, s);
}

/* One that has not left yet; without a code cache there may be many. */
static struct lua_vm *one_to_leave(const struct lua_worker *lw, const struct lua_vm *stays)
{
	list_each (it, &lw->vms) {
		struct lua_vm *vm = list_entry(it, struct lua_vm, node);
		if (vm != stays && !vm->is_leaving)
			return vm;
	}
	return NULL;
}

static void leave_all(struct lua_worker *lw, const struct lua_vm *stays)
{
	struct lua_vm *vm;
	while ((vm = one_to_leave(lw, stays)))
		ngx_timer_leave(vm);
}

static void leave(struct lua_worker *lw, const struct lua_vm *next)
{
	struct lua_vm *vm = lw->vm;
	lw->vm = NULL;
	leave_all(lw, next);
	lua_vm_unref(vm);
}

bool lua_worker_use(struct lua_worker *lw, struct lua_handlers *set, char why[LUA_WHY_MAX])
{
	struct lua_vm *vm = NULL;
	bool is_wanted = set && !lua_handlers_is_empty(set);
	if (set == lw->set)
		return true;
	if (is_wanted && !(vm = lua_vm_new(lw, set, why)))
		return false;
	if (vm)
		lua_handlers_use_dicts(set);
	struct lua_handlers *old = lw->set;
	leave(lw, vm);
	lw->vm = vm;
	lw->set = is_wanted ? lua_handlers_ref(set) : NULL;
	lua_handlers_unref(old);
	if (vm)
		run_own(vm, LUA_SCRIPT_INIT_WORKER, LUA_PHASE_INIT_WORKER);
	return true;
}

struct lua_vm *lua_worker_vm(struct lua_worker *lw, struct lua_handlers *set)
{
	char why[LUA_WHY_MAX];
	if (lua_handlers_settings(set)->is_cached) {
		list_each (it, &lw->vms) {
			struct lua_vm *vm = list_entry(it, struct lua_vm, node);
			if (vm->set == set) {
				lua_vm_ref(vm);
				return vm;
			}
		}
	}
	struct lua_vm *vm = lua_vm_new(lw, set, why);
	if (!vm)
		log_event(LOG_LEVEL_ERROR, "lua_vm_failed", "error", why, NULL);
	return vm;
}

void lua_worker_stop(struct lua_worker *lw)
{
	lw->is_exiting = true;
	leave_all(lw, NULL);
	keepalive_stop(lw->pools);
}

void lua_worker_end(struct lua_worker *lw)
{
	worker_free_retired(lw->worker);
	if (lw->vm)
		run_own(lw->vm, LUA_SCRIPT_EXIT_WORKER, LUA_PHASE_EXIT_WORKER);
	lw->is_exiting = true;
	leave(lw, NULL);
	ngx_timer_abort(lw);
	lua_input_drop_spare();
	lua_handlers_unref(lw->set);
	lw->set = NULL;
	lua_linger_end(lw);
	keepalive_stop(lw->pools);
	worker_free_retired(lw->worker);
}

void lua_worker_free(struct lua_worker *lw)
{
	if (!lw)
		return;
	handler_set_ops(lw->worker->layer[WORKER_PROXY], NULL);
	lw->worker->layer[WORKER_LUA] = NULL;
	lua_worker_fini(lw);
	keepalive_free(lw->pools);
	mem_free(lw);
}

const struct lua_counters *lua_worker_counters(const struct lua_worker *lw)
{
	return &lw->counters;
}

uint64_t lua_worker_busy_ms(const struct lua_worker *lw, uint64_t *since_ms, const char **in)
{
	struct timespec now;
	uint64_t since = atomic_load_explicit(&lw->busy_since_ms, memory_order_relaxed);
	*since_ms = since;
	*in = atomic_load_explicit(&lw->busy_with, memory_order_relaxed);
	if (!since)
		return 0;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return ms > since ? ms - since : 0;
}
