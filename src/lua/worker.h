/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the Lua of one worker shares: VMs, pools, the queue of coroutines to be resumed, the
 * buffer that output is collected in. worker->layer[WORKER_LUA]. */

#include "base/counter.h"
#include "base/list.h"
#include "http/head.h"
#include "lua/handlers.h"
#include "net/worker.h"

#include <stdatomic.h>

struct keepalive;
struct lua_output;
struct lua_request;
struct lua_thread;
struct lua_vm;

enum { LUA_WORKERS_MAX = 64 };
/* The thread ids of workers, by number; 0 = not started. Any thread. */
extern _Atomic int lua_worker_tid[LUA_WORKERS_MAX];

#define LUA_COUNTERS(X)                                                            \
	X(lua_requests, "runs of handlers and access scripts")                     \
	X(lua_errors, "errors in Lua that nobody caught")                          \
	X(lua_timers, "timers of Lua that fired")                                  \
	X(lua_memory_errors, "times that a Lua VM was out of memory (lua_memory)") \
	X(lua_stalls, "times that Lua held its worker longer than lua_stall")
struct lua_counters {
	LUA_COUNTERS(COUNTER_FIELD)
};
extern const struct counter_info lua_counter_info[];
extern const unsigned lua_counter_n;

enum { LUA_OUT_SIZE = 64 * 1024, LUA_LATE_SIZE = 8 * 1024, LUA_LATE_MAX = 64 };

struct lua_worker {
	struct worker *worker;
	struct list vms;
	struct lua_handlers *set; /* for what begins from now on; referenced; NULL = none */
	struct lua_vm *vm;        /* of that set; used */
	struct list ready;        /* coroutines to be resumed in this turn, by lua_wait.node */
	struct list later;        /* in the next one */
	struct timer next_turn;
	struct lua_request *running; /* whose Lua is on top of the C stack, or was last */
	struct lua_thread *target;   /* of the switch that a coroutine yields for */
	int args;                    /* that are on the target's stack */
	uint8_t op;                  /* why the coroutine yields: an enum lua_op */
	bool is_running;             /* Lua is on the C stack */
	const char *stack_top;       /* of the C stack, where it began */
	char *last_error; /* LUA_WHY_MAX bytes: where init's error goes; NULL = to the log */
	uint64_t wall_ms, wall_at_ms; /* wall time, and the worker's clock when it was read */
	bool is_exiting;              /* ngx.worker.exiting() */
	struct {
		char *at;
		size_t len, size;
	} scratch;             /* lua_gather() */
	struct http_head head; /* lua_client_head() */
	struct {
		struct lua_output *owner;
		size_t len;
		uint8_t *bytes; /* LUA_OUT_SIZE */
	} out;
	/* What of several clients leaves together, behind the events of this turn at the latest
	 * (output.c). */
	struct {
		struct {
			struct lua_output *out; /* NULL: it is gone */
			uint32_t len;
		} part[LUA_LATE_MAX];
		unsigned n;
		size_t len;     /* of all parts */
		uint8_t *bytes; /* LUA_LATE_SIZE, one part behind the other; NULL: none is late */
	} late;
	uint8_t *small; /* LUA_FAST_MAX bytes: a payload, for compiled Lua (frames_fast.h) */
	struct keepalive *pools; /* of connections that scripts have given back */
	uint8_t *datagram;       /* room for one, once it was needed */
	struct list lingering;   /* of those they have closed (ngx_socket_linger.c) */
	struct lua_counters counters;
	unsigned workers; /* of the process */
	/* When Lua was last given the worker, when one coroutine was, and when it was last looked
	 * at, on the clock below. */
	uint64_t began_ms, run_since_ms, looked_ms;
	/* For the control thread: since when (monotonic ms; 0 = no Lua runs), and in what. */
	_Atomic uint64_t busy_since_ms;
	_Atomic(const char *) busy_with;
};

/* One that can only load and run init: without a worker, timers, output. */
void lua_worker_init(struct lua_worker *lw, struct worker *w);
void lua_worker_fini(struct lua_worker *lw);

/* Wall time in ms, as of this turn; `renew`: as of now. owner: the worker. An ngx_time_fn. */
uint64_t lua_worker_wall_ms(void *owner, bool renew);
/* Nothing more is ready: what was collected goes out. */
void lua_worker_turn_end(struct lua_worker *lw);

static inline struct lua_worker *lua_worker_of(const struct worker *w)
{
	return w->layer[WORKER_LUA];
}

/* After proxy_new(). `workers`: how many there are, for ngx.worker.count(). */
struct lua_worker *lua_worker_new(struct worker *w, unsigned workers);
/* What begins from now on runs in a VM of this set (NULL: none), which is made, with init and
 * init_worker. False with why: all stays as it was. The VM before fires its timers
 * as premature and goes with its last request. */
bool lua_worker_use(struct lua_worker *lw, struct lua_handlers *set, char why[LUA_WHY_MAX]);
/* The VM of that set, made when there is none (with lua_code_cache = off always); the caller
 * unrefs it. NULL, and logged, when it cannot be made. */
struct lua_vm *lua_worker_vm(struct lua_worker *lw, struct lua_handlers *set);
/* The daemon stops: ngx.worker.exiting(), timers are premature. */
void lua_worker_stop(struct lua_worker *lw);
/* On the worker's thread, when all sessions have ended: runs exit_worker, ends everything. */
void lua_worker_end(struct lua_worker *lw);
/* After that, and before proxy_free(). Control thread. */
void lua_worker_free(struct lua_worker *lw);
const struct lua_counters *lua_worker_counters(const struct lua_worker *lw); /* any thread */
/* For how long Lua has held the worker, with *in what; 0 = it does not. Any thread. */
uint64_t lua_worker_busy_ms(const struct lua_worker *lw, uint64_t *since_ms, const char **in);
