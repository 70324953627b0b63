/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/request.h"

#include "lua/client.h"
#include "lua/ngx_log.h"
#include "lua/vm.h"
#include "lua/words.h"
#include "lua/worker.h"

#include <assert.h>
#include <lauxlib.h>

struct lua_request *lua_request_new(struct lua_vm *vm, enum lua_phase phase)
{
	struct lua_request *r = pool_get(&vm->request_pool);
	if (!r)
		return NULL;
	*r = (struct lua_request){.vm = vm,
	        .phase = (uint16_t)phase,
	        .settings = &lua_handlers_settings(vm->set)->handlers,
	        .ctx = LUA_NOREF};
	list_init(&r->threads);
	list_init(&r->cleanups);
	list_append(&vm->requests, &r->node);
	lua_vm_ref(vm);
	return r;
}

struct lua_thread *lua_request_entry(struct lua_request *r)
{
	struct lua_thread *t = lua_thread_new(r, LUA_ENTRY);
	r->entry = t;
	if (!t)
		lua_request_end(r, LUA_FAILED);
	return t;
}

static struct lua_thread *prepare(struct lua_request *r, const struct lua_script *s)
{
	struct lua_thread *t;
	r->script = s;
	r->origin = s->path;
	t = lua_request_entry(r);
	if (!t || lua_vm_push_script(r->vm, t->wait.L, s))
		return t;
	lua_log_failure(t->wait.L, "entry", "runtime error", lua_error_text(t->wait.L));
	t->is_known = true;
	lua_request_end(r, LUA_FAILED);
	return NULL;
}

void lua_request_start(struct lua_request *r, const struct lua_script *s)
{
	struct lua_thread *t = prepare(r, s);
	if (t)
		lua_thread_start(t, 0);
}

void lua_request_run(struct lua_request *r, const struct lua_script *s)
{
	struct lua_thread *t = prepare(r, s);
	if (t)
		lua_thread_run_now(t, 0);
}

static void kill_threads(struct lua_request *r)
{
	while (!list_is_empty(&r->threads)) {
		struct lua_thread *t = list_entry(r->threads.next, struct lua_thread, node);
		lua_thread_kill(t);
	}
}

void lua_request_end(struct lua_request *r, enum lua_outcome outcome)
{
	if (r->is_ended)
		return;
	r->is_ended = true;
	r->outcome = (uint8_t)outcome;
	kill_threads(r);
	while (!list_is_empty(&r->cleanups)) {
		struct lua_cleanup *c = list_entry(r->cleanups.next, struct lua_cleanup, node);
		list_remove(&c->node);
		c->run(c);
	}
	r->done(r, outcome);
}

void lua_request_cancel(struct lua_request *r)
{
	lua_request_end(r, LUA_CANCELLED);
}

void lua_request_free(struct lua_request *r)
{
	struct lua_vm *vm = r->vm;
	assert(r->is_ended && list_is_empty(&r->threads));
	luaL_unref(vm->L, LUA_REGISTRYINDEX, r->ctx);
	if (vm->hook_owner == r) {
		lua_sethook(vm->L, NULL, 0, 0);
		vm->hook_owner = NULL;
	}
	list_remove(&r->node);
	pool_put(&vm->request_pool, r);
	lua_vm_unref(vm);
}

void lua_request_cleanup(struct lua_request *r, struct lua_cleanup *c)
{
	list_append(&r->cleanups, &c->node);
}

/* ---- who asks ---- */

static const struct {
	unsigned phase;
	const char *name, *context;
} phases[] = {
        {LUA_PHASE_INIT, "init", "init_by_lua*"},
        {LUA_PHASE_INIT_WORKER, "init_worker", "init_worker_by_lua*"},
        {LUA_PHASE_ACCESS, "access", "access_by_lua*"},
        {LUA_PHASE_CONTENT, "content", "content_by_lua*"},
        {LUA_PHASE_LOG, "log", "log_by_lua*"},
        {LUA_PHASE_TIMER, "timer", "ngx.timer"},
        {LUA_PHASE_EXIT_WORKER, "exit_worker", "exit_worker_by_lua*"},
};

const char *lua_phase_name(unsigned phase)
{
	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
		if (phases[i].phase == phase)
			return phases[i].name;
	return "init";
}

const char *lua_phase_context(unsigned phase)
{
	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
		if (phases[i].phase == phase)
			return phases[i].context;
	return "init_by_lua*";
}

unsigned lua_phase_of(lua_State *L)
{
	const struct lua_request *r = lua_request_of(L);
	return r ? r->phase : LUA_PHASE_INIT;
}

struct lua_request *lua_request_need(lua_State *L)
{
	struct lua_request *r = lua_request_of(L);
	if (!r)
		luaL_error(L, "no request found");
	return r;
}

struct lua_request *lua_request_in(lua_State *L, unsigned wanted)
{
	struct lua_request *r = lua_request_need(L);
	if (r->phase == LUA_PHASE_INIT)
		luaL_error(L, "no request found");
	if (!(r->phase & wanted))
		luaL_error(L, "API disabled in the context of %s", lua_phase_context(r->phase));
	return r;
}

struct lua_client *lua_client_of(lua_State *L, unsigned wanted)
{
	struct lua_request *r = lua_request_in(L, wanted);
	if (!r->client)
		luaL_error(L, "no request found");
	return r->client;
}
