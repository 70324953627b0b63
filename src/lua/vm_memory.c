/* SPDX-License-Identifier: BSD-2-Clause */

/* The memory of a VM: LuaJIT's own allocator, counted, and refused where an error can be raised.
 *
 * In code that it has compiled, LuaJIT 2.1 of January 2023 raises "not enough memory" on whatever
 * lies where its frame was before: it does not set L->base, as later ones do. So that is done for
 * it here, if the place of both fields is what a first VM, which is made for that, has shown. */

#include "base/budget.h"
#include "lua/finalizers.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <string.h>

enum { BIG = 4096 /* from here on it is worth a look at the process' memory */ };

static bool is_over(const struct lua_vm *vm, size_t more)
{
	return vm->memory_max && vm->memory + more > vm->memory_max;
}

/* ---- frames of compiled code ---- */

/* Of a lua_State with pointers of 64 bits. */
enum { GLOBAL_AT = 16, BASE_AT = 32, TOP_AT = 40, LOOKED_THROUGH = 2048 };

static size_t frame_at; /* in what all coroutines share: the frame of compiled code; 0: unknown */

/* The VM that shows it. */
struct probe {
	lua_State *L;
	void *(*alloc)(void *ud, void *p, size_t old, size_t size);
	void *alloc_ud;
	const char *frame; /* of the function whose loop is compiled */
	size_t found;
	bool is_odd; /* not as it should be */
};

static const char *pointer_at(const void *p, size_t at)
{
	const char *value;
	memcpy(&value, (const char *)p + at, sizeof value);
	return value;
}

static bool is_stack_as_expected(lua_State *L)
{
	enum { SLOT = 8, TRIES = 4 };
	int top = lua_gettop(L), n = 0;
	while (n < TRIES && pointer_at(L, TOP_AT) - pointer_at(L, BASE_AT) == (top + n) * SLOT) {
		lua_pushboolean(L, 1);
		n++;
	}
	lua_settop(L, top);
	return n == TRIES;
}

/* In front of the loop: where is the caller's frame? Behind it: is the field empty again? */
static int l_mark(lua_State *L)
{
	struct probe *p = lua_touserdata(L, lua_upvalueindex(1));
	lua_Debug own, caller;
	p->is_odd |= !is_stack_as_expected(L) || !lua_getstack(L, 0, &own) ||
	             !lua_getstack(L, 1, &caller);
	if (p->is_odd)
		return 0;
	if (p->found)
		p->is_odd = pointer_at(pointer_at(L, GLOBAL_AT), p->found) != NULL;
	p->frame = p->found ? NULL
	                    : pointer_at(L, BASE_AT) -
	                              ((own.i_ci & 0xffff) - (caller.i_ci & 0xffff)) * 8;
	return 0;
}

static void *allocate_for_probe(void *ud, void *at, size_t old, size_t size)
{
	struct probe *p = ud;
	const char *global = p->frame ? pointer_at(p->L, GLOBAL_AT) : NULL;
	for (size_t i = 8; global && i < LOOKED_THROUGH; i += 8) {
		if (pointer_at(global, i) != p->frame)
			continue;
		p->is_odd |= p->found && p->found != i;
		p->found = i;
	}
	return p->alloc(p->alloc_ud, at, old, size);
}

static int run_probe(lua_State *L)
{
	static const char loop[] = "local mark = ... mark() local t "
	                           "for i = 1, 300 do t = {i} end mark() return t";
	struct probe *p = lua_touserdata(L, 1);
	luaL_openlibs(L);
	if (luaL_loadbuffer(L, loop, sizeof loop - 1, "=probe"))
		return lua_error(L);
	lua_pushlightuserdata(L, p);
	lua_pushcclosure(L, l_mark, 1);
	lua_call(L, 1, 0);
	return 0;
}

static void find_frame(void)
{
	struct probe p = {.L = sizeof(void *) == 8 ? luaL_newstate() : NULL};
	if (!p.L)
		return;
	p.alloc = lua_getallocf(p.L, &p.alloc_ud);
	lua_setallocf(p.L, allocate_for_probe, &p);
	p.is_odd |= lua_cpcall(p.L, run_probe, &p) != 0;
	lua_setallocf(p.L, p.alloc, p.alloc_ud);
	lua_close(p.L);
	frame_at = p.is_odd ? 0 : p.found;
}

/* If it is in compiled code, makes its frame the one on which an error is raised. */
static void show_frame(lua_State *L)
{
	const char *frame = L && frame_at ? pointer_at(pointer_at(L, GLOBAL_AT), frame_at) : NULL;
	if (frame)
		memcpy((char *)L + BASE_AT, &frame, sizeof frame);
}

/* ---- the allocator ---- */

/* Of large blocks that are free, as much may be kept as the VM has in use, which is about what the
 * collector lets it grow by from one cycle to the next; at least a few messages, and never more
 * than lua_memory leaves. */
enum { KEPT_MIN = 4 * 1024 * 1024, KEPT_MAX = 64 * 1024 * 1024 };

static size_t most_kept(const struct lua_vm *vm, size_t freed)
{
	size_t used = vm->memory > freed ? vm->memory - freed : 0;
	size_t most = used < KEPT_MIN ? KEPT_MIN : used > KEPT_MAX ? KEPT_MAX : used;
	if (!vm->memory_max)
		return most;
	size_t room = vm->memory_max > used ? vm->memory_max - used : 0;
	return room < most ? room : most;
}

static void *move(struct lua_vm *vm, void *p, size_t old, size_t size)
{
	void *q = !p && size >= LUA_BLOCK_MIN ? lua_blocks_take(&vm->blocks, size) : NULL;
	if (q)
		return q;
	if (size == 0 && old >= LUA_BLOCK_MIN &&
	        lua_blocks_keep(&vm->blocks, p, old, most_kept(vm, old)))
		return NULL;
	q = vm->alloc(vm->alloc_ud, p, old, size);
	if (q || size == 0 || !vm->blocks.first)
		return q;
	lua_blocks_drop(&vm->blocks);
	return vm->alloc(vm->alloc_ud, p, old, size);
}

/* Only where an error can be raised may it refuse. */
static void *allocate(void *ud, void *p, size_t old, size_t size)
{
	struct lua_vm *vm = ud;
	if (size > old && vm->depth > 0 && is_over(vm, size - old)) {
		vm->is_exhausted = true;
		show_frame(vm->running);
		return NULL;
	}
	void *q = move(vm, p, old, size);
	if (q || size == 0) {
		vm->memory += size - old;
		budget_take((int64_t)size - (int64_t)old);
	}
	if (vm->blocks.bytes && is_over(vm, vm->blocks.bytes))
		lua_blocks_drop(&vm->blocks);
	return q;
}

/* ---- when the collector works ---- */

/* Steps of the collector run finalizers, and what those raise goes to whoever allocates: outside of
 * protected calls that is the end of the process. So there are none there: the size at which the
 * next one is due is out of reach. Where LuaJIT keeps that is no part of its API; a state that is
 * not as we know it is left alone. */
static const size_t never = (size_t)1 << 47;

static void find_threshold(struct lua_vm *vm)
{
	enum { STATE_GLOBAL = 2, GLOBAL_TOTAL = 2, GLOBAL_THRESHOLD };
	size_t *g = ((size_t **)(void *)vm->L)[STATE_GLOBAL];
	size_t total = (size_t)lua_gc(vm->L, LUA_GCCOUNT, 0) * 1024 +
	               (size_t)lua_gc(vm->L, LUA_GCCOUNTB, 0);
	size_t due = g[GLOBAL_THRESHOLD];
	lua_gc(vm->L, LUA_GCSTOP, 0);
	bool is_known = g[GLOBAL_TOTAL] == total && g[GLOBAL_THRESHOLD] == never;
	lua_gc(vm->L, LUA_GCRESTART, 0);
	if (!is_known || g[GLOBAL_THRESHOLD] != total)
		return;
	vm->gc_threshold = &g[GLOBAL_THRESHOLD];
	*vm->gc_threshold = vm->gc_due = due;
}

static void let_collect(struct lua_vm *vm)
{
	if (vm->gc_threshold)
		*vm->gc_threshold = vm->gc_due;
}

static void stop_collecting(struct lua_vm *vm)
{
	if (!vm->gc_threshold)
		return;
	vm->gc_due = *vm->gc_threshold;
	*vm->gc_threshold = never;
}

static size_t overdue(const struct lua_vm *vm)
{
	size_t total = vm->gc_threshold ? vm->gc_threshold[-1] : 0;
	return total > vm->gc_due ? total - vm->gc_due : 0;
}

static int l_step(lua_State *L)
{
	lua_gc(L, LUA_GCSTEP, (int)(overdue(lua_vm_of(L)) >> 10));
	return 0;
}

/* What was put off: scripts that only pass on what they are given allocate nothing themselves.
 * Those that do have the collector at work while they run. */
enum { LAG = 256 * 1024 };

static void catch_up(struct lua_vm *vm)
{
	if (overdue(vm) < LAG)
		return;
	if (lua_cpcall(vm->L, l_step, NULL)) {
		lua_finalizers_tell(vm->L);
		lua_pop(vm->L, 1);
	}
	stop_collecting(vm);
}

void lua_vm_count(struct lua_vm *vm)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, find_frame);
	find_threshold(vm);
	vm->alloc = lua_getallocf(vm->L, &vm->alloc_ud);
	lua_blocks_init(&vm->blocks, vm->worker->worker, vm->alloc, vm->alloc_ud);
	vm->memory = (size_t)lua_gc(vm->L, LUA_GCCOUNT, 0) * 1024 +
	             (size_t)lua_gc(vm->L, LUA_GCCOUNTB, 0);
	budget_take((int64_t)vm->memory);
	lua_setallocf(vm->L, allocate, vm);
}

/* ---- asking and collecting ---- */

bool lua_vm_has_room(lua_State *L, size_t bytes)
{
	struct lua_vm *vm = lua_vm_of(L);
	bool is_big = bytes >= BIG;
	if (is_big && vm->blocks.first && !budget_has(bytes))
		lua_blocks_drop(&vm->blocks);
	bool has_room = !is_over(vm, bytes) && (!is_big || budget_has(bytes));
	vm->is_exhausted |= !has_room;
	return has_room;
}

/* A module whose loading was ended by the lack of memory is marked as one that is being loaded, and
 * would remain so. Nothing is: no Lua runs. */
static void forget_half_loaded(lua_State *L)
{
	lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		bool is_mark = lua_islightuserdata(L, -1) && lua_touserdata(L, -1);
		lua_pop(L, 1);
		if (!is_mark)
			continue;
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, 1);
	}
}

static int collect(lua_State *L)
{
	bool was_exhausted = lua_touserdata(L, 1);
	lua_settop(L, 0);
	if (was_exhausted)
		forget_half_loaded(L);
	lua_gc(L, LUA_GCCOLLECT, 0);
	return 0;
}

/* Garbage may be what fills it; and after "not enough memory" the VM is of no use before all
 * that can be freed was. */
static void collect_all(struct lua_vm *vm)
{
	void *was_exhausted = vm->is_exhausted ? vm : NULL;
	if (was_exhausted)
		counter_inc(&vm->worker->counters.lua_memory_errors);
	vm->is_exhausted = false;
	lua_blocks_drop(&vm->blocks);
	let_collect(vm);
	if (lua_cpcall(vm->L, collect, was_exhausted))
		lua_pop(vm->L, 1);
	stop_collecting(vm);
	vm->memory_calm = vm->memory;
}

bool lua_vm_make_room(struct lua_vm *vm, size_t bytes)
{
	if (lua_vm_has_room(vm->L, bytes))
		return true;
	if (vm->depth > 0)
		return false;
	collect_all(vm);
	return lua_vm_has_room(vm->L, bytes);
}

static bool is_nearly_full(const struct lua_vm *vm)
{
	size_t max = vm->memory_max;
	return max && vm->memory > max / 4 * 3 &&
	       vm->memory > vm->memory_calm +
	                            (max - (vm->memory_calm < max ? vm->memory_calm : max)) / 2;
}

void lua_vm_enter(struct lua_vm *vm)
{
	if (vm->depth++ == 0)
		let_collect(vm);
}

unsigned lua_vm_pause(struct lua_vm *vm)
{
	unsigned depth = vm->depth;
	vm->depth = 0;
	if (depth > 0)
		stop_collecting(vm);
	return depth;
}

void lua_vm_resume(struct lua_vm *vm, unsigned depth)
{
	vm->depth = depth;
	if (depth > 0)
		let_collect(vm);
}

void lua_vm_leave(struct lua_vm *vm, int status)
{
	if (status == LUA_ERRMEM)
		vm->is_exhausted = true;
	if (vm->depth == 1 && vm->finalizers_due > 0 && !vm->is_exhausted)
		lua_finalizers_run(vm);
	if (--vm->depth == 0)
		stop_collecting(vm);
	if (vm->depth == 0 && (vm->is_exhausted || is_nearly_full(vm)))
		collect_all(vm);
	else if (vm->depth == 0)
		catch_up(vm);
}
