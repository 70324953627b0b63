/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/service.h"

#include "admin/totals.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/door.h"
#include "daemon/exit.h"
#include "daemon/gate.h"
#include "daemon/limits.h"
#include "daemon/say.h"
#include "lua/worker.h"
#include "net/worker.h"
#include "proxy/proxy.h"

#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

struct service_worker {
	struct service *service;
	struct worker *worker;
	struct proxy *proxy;
	struct lua_worker *lua;
	struct doors doors;
	bool is_running; /* its thread was started */
	bool has_failed; /* to begin; `error` tells */
	int error;
	uint32_t spread_ms; /* for drain() */
	uint64_t turns;     /* when it was last asked to turn */
	bool was_asked;
	uint64_t stall_told_ms;     /* since when Lua has held it, when that was told last */
	struct worker_message swap; /* sent while the service takes `next` over */
	size_t unfinished;          /* doors to gates that go, and one while they are counted */
	atomic_bool has_swapped;
};

struct service {
	struct config *config;
	struct gates gates; /* open, and in use */
	/* What begins, or is taken over: workers read both until they have swapped. */
	struct config *next;
	struct gates next_gates;
	bool is_swapping;
	struct service_worker *workers;
	unsigned worker_n;
	bool is_closed; /* no gate is open any more */
	int report_fd;
	sem_t begun;       /* posted by each worker when it accepts, or failed to */
	atomic_uint quiet; /* workers that no longer watch a listener */
	atomic_uint drained;
	struct daemon_counters counters;
};

struct service *service_new(struct config *c, unsigned workers, int report_fd)
{
	struct service *s = mem_new(sizeof(*s));

	s->config = c;
	limit_table_resize(c->address_table);
	budget_set(limits_budget(c->memory_max));
	s->worker_n = workers;
	s->workers = mem_new(workers * sizeof(*s->workers));
	s->report_fd = report_fd;
	sem_init(&s->begun, 0, 0);
	for (unsigned i = 0; i < workers; i++)
		s->workers[i].service = s;
	return s;
}

/* A gate may be in both; only the new ones are the next's alone. */
static void close_gates(struct service *s)
{
	gates_drop(&s->next_gates);
	gates_close(&s->gates);
	s->is_closed = true;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	close_gates(s);
	for (unsigned i = 0; i < s->worker_n; i++) {
		lua_worker_free(s->workers[i].lua);
		proxy_free(s->workers[i].proxy);
		if (s->workers[i].worker)
			worker_free(s->workers[i].worker);
	}
	sem_destroy(&s->begun);
	mem_free(s->workers);
	config_free(s->next);
	config_free(s->config);
	mem_free(s);
}

const struct config *service_config(const struct service *s)
{
	return s->config;
}

struct daemon_counters *service_counters(struct service *s)
{
	return &s->counters;
}

enum exit_status service_open(struct service *s)
{
	struct config_errors why = {.text = NULL};
	bool is_open = gates_open(&s->next_gates, &s->gates, s->config, s->worker_n, &why);
	enum exit_status status = is_open ? EXIT_GOOD : exit_for(&why);

	if (why.text)
		say_lines(why.text);
	config_errors_free(&why);
	return status;
}

/* ---- on the worker's thread ---- */

static bool open_doors(struct service_worker *sw)
{
	const struct gates *gates = &sw->service->next_gates;

	for (size_t i = 0; i < gates->n; i++)
		if (!door_open(&sw->doors, gates->at[i], gates->at[i]->part, false))
			return false;
	return true;
}

/* What a check has let pass can only fail here for want of memory, or because the script wants it
 * so; then whatever was goes on. */
static bool use_handlers(struct service_worker *sw, const struct config *c)
{
	char why[LUA_WHY_MAX];

	if (lua_worker_use(sw->lua, c->handlers, why))
		return true;
	log_event(LOG_LEVEL_ERROR, "lua_vm_failed", "error", why, NULL);
	return false;
}

/* The resolver looks at the text it had while it gets another. */
static void configure(struct service_worker *sw, const struct config *c)
{
	proxy_set_resolver(sw->proxy, &c->resolver);
	proxy_set_routes(sw->proxy, c->routes);
	proxy_set_access(sw->proxy, &c->access);
	proxy_keep_spares(sw->proxy, c->group, c->group_n, sw->service->worker_n);
	if (sw->worker->index == 0)
		proxy_use_groups(sw->proxy, c->group, c->group_n);
}

static void begin(struct worker *w, void *arg)
{
	struct service_worker *sw = arg;

	sw->proxy = proxy_new(w);
	doors_init(&sw->doors, w, sw->proxy);
	if (sw->proxy) {
		sw->lua = lua_worker_new(w, sw->service->worker_n);
		configure(sw, sw->service->config);
	}
	errno = ENOMEM;
	sw->has_failed = !sw->proxy || !use_handlers(sw, sw->service->config) || !open_doors(sw);
	sw->error = errno;
	sem_post(&sw->service->begun);
}

static void tell(struct service *s)
{
	const uint64_t one = 1;

	/* It can only fail when the count is full, and then it is readable too. */
	if (write(s->report_fd, &one, sizeof(one)) < 0)
		return;
}

static void on_finished(void *arg)
{
	struct service_worker *sw = arg;

	if (--sw->unfinished > 0)
		return;
	atomic_store(&sw->has_swapped, true);
	tell(sw->service);
}

/* Everything between two events: no session sees half of it. */
static void swap(struct worker *w, void *arg)
{
	struct service_worker *sw = arg;
	const struct service *s = sw->service;

	(void)w;
	use_handlers(sw, s->next);
	configure(sw, s->next);
	sw->unfinished = 1;
	for (size_t i = 0; i < s->next_gates.n; i++) {
		struct gate *g = s->next_gates.at[i];
		if (!door_change(&sw->doors, g, g->wanted->listener))
			door_open(&sw->doors, g, g->wanted->listener, true);
	}
	for (size_t i = 0; i < s->gates.n; i++) {
		if (s->gates.at[i]->wanted)
			continue;
		sw->unfinished++;
		door_finish(&sw->doors, s->gates.at[i], on_finished, sw);
	}
	on_finished(sw);
}

/* The loop has ended; what is left of sessions is ended with it. */
static void end(struct worker *w, void *arg)
{
	struct service_worker *sw = arg;

	(void)w;
	doors_shut(&sw->doors);
	if (sw->proxy)
		proxy_abort(sw->proxy);
	if (sw->lua)
		lua_worker_end(sw->lua);
}

static void report(struct service *s, atomic_uint *count)
{
	atomic_fetch_add(count, 1);
	tell(s);
}

static void on_drained(void *arg)
{
	struct service *s = arg;

	report(s, &s->drained);
}

static void drain(struct worker *w, void *arg)
{
	struct service_worker *sw = arg;

	(void)w;
	doors_shut(&sw->doors);
	report(sw->service, &sw->service->quiet);
	lua_worker_stop(sw->lua);
	proxy_drain(sw->proxy, sw->spread_ms, on_drained, sw->service);
}

/* ---- on the control thread again ---- */

static bool start_worker(struct service_worker *sw, unsigned index)
{
	sw->worker = worker_new(index);
	sw->is_running = sw->worker && worker_start(sw->worker, begin, end, sw);
	if (!sw->is_running) {
		char words[LOG_ERRNO_MAX];

		say("cannot start worker %u: %s", index, log_errno_words(errno, words));
	}
	return sw->is_running;
}

static bool has_begun_well(const struct service_worker *sw, unsigned index)
{
	char words[LOG_ERRNO_MAX];

	if (sw->has_failed)
		say("worker %u cannot accept connections: %s", index,
		        log_errno_words(sw->error, words));
	return !sw->has_failed;
}

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) < 0 && errno == EINTR)
		continue;
}

bool service_start(struct service *s)
{
	unsigned started = 0;
	bool good;

	while (started < s->worker_n && start_worker(&s->workers[started], started))
		started++;
	for (unsigned i = 0; i < started; i++)
		wait_for(&s->begun);
	good = started == s->worker_n;
	for (unsigned i = 0; i < started; i++)
		good = has_begun_well(&s->workers[i], i) && good;
	if (good) {
		gates_log(&s->next_gates);
		gates_move(&s->gates, &s->next_gates);
	}
	return good;
}

static bool has_turned(struct service_worker *sw)
{
	uint64_t turns = worker_turns(sw->worker);

	if (sw->was_asked && turns == sw->turns)
		return false;
	sw->was_asked = true;
	sw->turns = turns;
	worker_poke(sw->worker);
	return true;
}

int service_stuck(struct service *s)
{
	int stuck = -1;

	for (unsigned i = 0; i < s->worker_n; i++)
		if (!has_turned(&s->workers[i]))
			stuck = (int)i;
	return stuck;
}

/* A script that has not come back for longer than lua_stall, and was not told of. */
static void look_for_stall(struct service_worker *sw, uint32_t limit_ms)
{
	const char *script;
	uint64_t since, ms = sw->lua ? lua_worker_busy_ms(sw->lua, &since, &script) : 0;
	struct log_line l;

	if (ms < limit_ms || since == sw->stall_told_ms)
		return;
	sw->stall_told_ms = since;
	log_begin(&l, LOG_LEVEL_WARN, "lua_stalled");
	log_unum(&l, "worker", sw->worker->index);
	log_text(&l, "script", script);
	log_unum(&l, "ms", ms);
	log_end(&l);
}

bool service_look_for_stalls(struct service *s)
{
	const struct lua_handlers *set = s->config->handlers;
	uint32_t limit_ms = set ? lua_handlers_settings(set)->stall_ms : 0;

	for (unsigned i = 0; limit_ms > 0 && i < s->worker_n; i++)
		look_for_stall(&s->workers[i], limit_ms);
	return limit_ms > 0;
}

/* ---- another configuration ---- */

bool service_prepare(struct service *s, struct config *next, struct config_errors *why)
{
	assert(!s->is_swapping);
	if (!gates_open(&s->next_gates, &s->gates, next, s->worker_n, why))
		return false;
	if (!gates_change(&s->next_gates, why)) {
		gates_drop(&s->next_gates);
		return false;
	}
	return true;
}

void service_drop(struct service *s)
{
	gates_change_back(&s->next_gates);
	gates_drop(&s->next_gates);
}

/* From here nothing can fail. */
void service_swap(struct service *s, struct config *next)
{
	s->next = next;
	s->is_swapping = true;
	limit_table_resize(next->address_table);
	budget_set(limits_budget(next->memory_max));
	gates_leave(&s->gates);
	for (unsigned i = 0; i < s->worker_n; i++) {
		struct service_worker *sw = &s->workers[i];

		atomic_store(&sw->has_swapped, false);
		sw->swap = (struct worker_message){.fn = swap, .arg = sw};
		worker_send(sw->worker, &sw->swap);
	}
}

int service_not_swapped(const struct service *s)
{
	for (unsigned i = 0; s->is_swapping && i < s->worker_n; i++)
		if (!atomic_load(&s->workers[i].has_swapped))
			return (int)i;
	return -1;
}

void service_swapped(struct service *s)
{
	assert(s->is_swapping && service_not_swapped(s) < 0);
	gates_log(&s->next_gates);
	gates_move(&s->gates, &s->next_gates);
	config_free(s->config);
	s->config = s->next;
	s->next = NULL;
	s->is_swapping = false;
}

uint64_t service_sessions(const struct service *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->worker_n; i++) {
		const struct proxy_counters *c = proxy_counters(s->workers[i].proxy);
		/* In this order: an end is counted after its beginning. */
		uint64_t ended = counter_get(&c->sessions_ended);
		uint64_t begun = counter_get(&c->sessions);

		n += begun > ended ? begun - ended : 0;
	}
	return n;
}

void service_drain(struct service *s, uint32_t spread_ms)
{
	for (unsigned i = 0; i < s->worker_n; i++) {
		struct service_worker *sw = &s->workers[i];

		sw->spread_ms = spread_ms;
		if (!worker_post(sw->worker, drain, sw))
			worker_stop(sw->worker);
	}
}

bool service_look(struct service *s)
{
	if (!s->is_closed && !s->is_swapping && atomic_load(&s->quiet) == s->worker_n)
		close_gates(s);
	return atomic_load(&s->drained) == s->worker_n;
}

static void log_totals(const struct service *s)
{
	const struct worker **workers = mem_new(s->worker_n * sizeof(const struct worker *));
	const struct proxy **proxies = mem_new(s->worker_n * sizeof(const struct proxy *));

	for (unsigned i = 0; i < s->worker_n; i++) {
		workers[i] = s->workers[i].worker;
		proxies[i] = s->workers[i].proxy;
	}
	totals_log(workers, proxies, s->worker_n, &s->counters);
	mem_free(workers);
	mem_free(proxies);
}

static void tell_abandoned(const struct service_worker *sw, const char *script, uint64_t ms)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_ERROR, "worker_abandoned");
	log_unum(&l, "worker", sw->worker->index);
	log_text(&l, "script", script);
	log_unum(&l, "ms", ms);
	log_end(&l);
}

/* Until it has ended. False: a script does not come back, so it is never told to. */
static bool join(struct service_worker *sw)
{
	enum { LOOK_MS = 200, ABANDON_MS = 5000 };
	const char *script;
	uint64_t since;

	while (!worker_join_within(sw->worker, LOOK_MS)) {
		uint64_t ms = sw->lua ? lua_worker_busy_ms(sw->lua, &since, &script) : 0;
		if (ms > ABANDON_MS) {
			tell_abandoned(sw, script, ms);
			return false;
		}
	}
	sw->is_running = false;
	return true;
}

void service_stop(struct service *s)
{
	bool is_whole = true, is_one_stuck = false;

	for (unsigned i = 0; i < s->worker_n; i++)
		if (s->workers[i].is_running)
			worker_stop(s->workers[i].worker);
	for (unsigned i = 0; i < s->worker_n; i++) {
		struct service_worker *sw = &s->workers[i];

		if (sw->is_running && !join(sw))
			is_one_stuck = true;
		is_whole = is_whole && sw->worker && sw->proxy;
	}
	if (is_one_stuck) { /* nothing that its worker uses can be freed: the process ends here */
		log_stop();
		_exit(EXIT_FAILED);
	}
	if (is_whole)
		log_totals(s);
}
