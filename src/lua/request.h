/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A request as Lua sees it: one run of a handler, an access hook, a timer or init_worker,
 * with its coroutines. exdata of all its coroutines, and of no other. One worker's thread.
 *
 * It begins with lua_request_new(), and ends when its entry thread and all its light threads have
 * ended, when one of them calls ngx.exit(), when the entry thread fails, or when its
 * session ends. Then every wait is cancelled, every cleanup is called, and no Lua of it runs any
 * more.
 *
 * Objects that scripts hold and that must not be used from elsewhere or after the end
 * (sockets): keep a struct lua_cleanup in the object, added with lua_request_cleanup();
 * its callback forgets the request. In each method: `if (obj->request !=
 * lua_request_of(L)) luaL_error(L, "bad request")`. */

#include "base/list.h"
#include "lua/thread.h"
#include "net/worker.h"
#include "proxy/handler.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_client;
struct lua_script;
struct lua_vm;
struct session;

/* Bits, for lua_check_phase(). */
enum lua_phase {
	LUA_PHASE_INIT = 1 << 0,
	LUA_PHASE_INIT_WORKER = 1 << 1,
	LUA_PHASE_ACCESS = 1 << 2,
	LUA_PHASE_CONTENT = 1 << 3,
	LUA_PHASE_LOG = 1 << 4,
	LUA_PHASE_TIMER = 1 << 5,
	LUA_PHASE_EXIT_WORKER = 1 << 6,
};
enum {
	LUA_PHASES_CLIENT = LUA_PHASE_ACCESS | LUA_PHASE_CONTENT, /* there is a client to talk to */
	LUA_PHASES_HEAD = LUA_PHASES_CLIENT | LUA_PHASE_LOG,      /* there is a request's head */
	LUA_PHASES_YIELD = LUA_PHASES_CLIENT | LUA_PHASE_TIMER,   /* coroutines can wait */
};

struct lua_cleanup {
	struct list node;
	void (*run)(struct lua_cleanup *c); /* must not call Lua functions */
};

enum lua_outcome {
	LUA_GOING_ON,
	LUA_RETURNED, /* the entry thread and all light threads have ended */
	LUA_EXITED,   /* ngx.exit(), redirect: exit_status */
	LUA_FAILED,   /* an error that nobody caught */
	LUA_CANCELLED,
};

struct lua_request {
	struct lua_vm *vm;         /* used */
	struct lua_client *client; /* NULL: a timer, init_worker */
	const struct lua_script *script;
	const char *origin; /* path of the script; of a timer's, of whose it is; NULL: none's */
	const struct handler_settings *settings; /* timeouts and the like; lives as long as this */
	struct lua_thread *entry;
	struct list node;    /* vm->requests */
	struct list threads; /* all that are under way or zombies */
	struct list cleanups;
	/* Called once, when it has ended; frees it by lua_request_free(). */
	void (*done)(struct lua_request *r, enum lua_outcome outcome);
	void *owner;
	int ctx; /* reference of ngx.ctx; LUA_NOREF until it is asked for */
	int exit_status;
	uint32_t live;  /* entry and light threads that have not ended */
	uint16_t phase; /* enum lua_phase */
	uint8_t outcome;
	bool is_ended;
};

/* NULL: out of memory. */
struct lua_request *lua_request_new(struct lua_vm *vm, enum lua_phase phase);
/* Runs the script (of the VM's set) in it as its entry thread. */
void lua_request_start(struct lua_request *r, const struct lua_script *s);
/* The same, before it returns, from wherever: for scripts that cannot wait. */
void lua_request_run(struct lua_request *r, const struct lua_script *s);
/* Its entry thread, for a function and arguments to be pushed onto, and lua_thread_start(). NULL:
 * out of memory, and it has ended. */
struct lua_thread *lua_request_entry(struct lua_request *r);
/* Ends it from outside: no Lua runs, done() is called with LUA_CANCELLED. */
void lua_request_cancel(struct lua_request *r);
/* Ends it from inside; for the scheduler. */
void lua_request_end(struct lua_request *r, enum lua_outcome outcome);
/* After its end, and once no Lua of it is on the C stack: at the end of the turn. */
void lua_request_free(struct lua_request *r);

void lua_request_cleanup(struct lua_request *r, struct lua_cleanup *c);

/* The request whose coroutine L is. NULL: none, in init or after the end. */
static inline struct lua_request *lua_request_of(lua_State *L)
{
	return lua_getexdata(L);
}
/* The same; raises `no request found`. */
struct lua_request *lua_request_need(lua_State *L);
/* The same; raises `API disabled in the context of ...` in other phases. */
struct lua_request *lua_request_in(lua_State *L, unsigned phases);
/* The same with its client. */
struct lua_client *lua_client_of(lua_State *L, unsigned phases);
/* `init`, `access`, ... as ngx.get_phase() has it. */
const char *lua_phase_name(unsigned phase);
/* `init_by_lua*`, as errors have it. */
const char *lua_phase_context(unsigned phase);
/* The phase that L runs in. */
unsigned lua_phase_of(lua_State *L);
