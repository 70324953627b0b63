/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/service.h"

#include "admin/totals.h"
#include "base/budget.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/limits.h"
#include "daemon/say.h"
#include "net/listener.h"
#include "net/worker.h"
#include "proxy/proxy.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

struct service_worker;

/* What a worker knows of one bind. */
struct door {
	struct service_worker *owner;
	struct watch *watch;
	const struct proxy_listener *listener;
	uint16_t port; /* 0 = a unix socket */
};

struct service_worker {
	struct service *service;
	struct worker *worker;
	struct proxy *proxy;
	struct door *doors; /* one for each bind */
	bool is_running;    /* its thread was started */
	bool has_failed;    /* to begin; `error` tells */
	int error;
	uint32_t spread_ms; /* for drain() */
	uint64_t turns;     /* when it was last asked to turn */
	bool was_asked;
};

struct service {
	const struct config *config;
	struct service_worker *workers;
	unsigned worker_n;
	struct listener **listeners; /* one for each bind; NULL once closed */
	bool is_closed;              /* all of them */
	int report_fd;
	sem_t begun;       /* posted by each worker when it accepts, or failed to */
	atomic_uint quiet; /* workers that no longer watch a listener */
	atomic_uint drained;
};

struct service *service_new(const struct config *c, unsigned workers, int report_fd)
{
	struct service *s = mem_new(sizeof(*s));

	s->config = c;
	limit_table_resize(c->address_table);
	budget_set(limits_budget(c->memory_max));
	s->worker_n = workers;
	s->workers = mem_new(workers * sizeof(*s->workers));
	s->listeners = mem_new(c->bind_n * sizeof(struct listener *));
	s->report_fd = report_fd;
	sem_init(&s->begun, 0, 0);
	for (unsigned i = 0; i < workers; i++) {
		s->workers[i].service = s;
		s->workers[i].doors = mem_new(c->bind_n * sizeof(struct door));
	}
	return s;
}

static void close_listeners(struct service *s)
{
	for (size_t i = 0; i < s->config->bind_n; i++) {
		if (s->listeners[i])
			listener_close(s->listeners[i]);
		s->listeners[i] = NULL;
	}
	s->is_closed = true;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	close_listeners(s);
	for (unsigned i = 0; i < s->worker_n; i++) {
		proxy_free(s->workers[i].proxy);
		if (s->workers[i].worker)
			worker_free(s->workers[i].worker);
		mem_free(s->workers[i].doors);
	}
	sem_destroy(&s->begun);
	mem_free(s->listeners);
	mem_free(s->workers);
	mem_free(s);
}

enum exit_status service_open(struct service *s)
{
	enum exit_status status = EXIT_GOOD;

	for (size_t i = 0; i < s->config->bind_n; i++) {
		const struct config_bind *b = &s->config->bind[i];
		char why[160];

		s->listeners[i] = listener_open(&b->settings, s->worker_n, why);
		if (!s->listeners[i]) {
			enum exit_status why_not = exit_for(errno);

			say("%s: [listener %s] bind = %s: %s", b->place, b->listener->name, b->text,
			        why);
			status = status == EXIT_CONFIG ? status : why_not;
		}
	}
	return status;
}

static void report(struct service *s, atomic_uint *count)
{
	const uint64_t one = 1;

	atomic_fetch_add(count, 1);
	/* It can only fail when the count is full, and then it is readable too. */
	if (write(s->report_fd, &one, sizeof(one)) < 0)
		return;
}

static void on_accept(struct worker *w, int fd, const struct address *peer, void *arg)
{
	struct door *door = arg;

	(void)w;
	proxy_accept(door->owner->proxy, fd, peer, door->listener, door->port);
}

/* ---- on the worker's thread ---- */

static bool open_doors(struct service_worker *sw)
{
	struct service *s = sw->service;

	for (size_t i = 0; i < s->config->bind_n; i++) {
		struct door *door = &sw->doors[i];

		door->owner = sw;
		door->listener = s->config->bind[i].listener;
		door->port = address_port(listener_address(s->listeners[i]));
		door->watch = listener_watch(s->listeners[i], sw->worker, on_accept, door);
		if (!door->watch)
			return false;
	}
	return true;
}

static void shut_doors(struct service_worker *sw)
{
	for (size_t i = 0; i < sw->service->config->bind_n; i++) {
		if (sw->doors[i].watch)
			watch_stop(sw->doors[i].watch);
		sw->doors[i].watch = NULL;
	}
}

static void begin(struct worker *w, void *arg)
{
	struct service_worker *sw = arg;

	sw->proxy = proxy_new(w);
	if (sw->proxy) {
		proxy_set_resolver(sw->proxy, &sw->service->config->resolver);
		proxy_set_routes(sw->proxy, sw->service->config->routes);
		proxy_set_access(sw->proxy, &sw->service->config->access);
		proxy_keep_spares(sw->proxy, sw->service->config->group,
		        sw->service->config->group_n, sw->service->worker_n);
	}
	if (sw->proxy && w->index == 0)
		proxy_check_servers(
		        sw->proxy, sw->service->config->group, sw->service->config->group_n);
	sw->has_failed = !sw->proxy || !open_doors(sw);
	sw->error = errno;
	sem_post(&sw->service->begun);
}

/* The loop has ended; what is left of sessions is ended with it. */
static void end(struct worker *w, void *arg)
{
	struct service_worker *sw = arg;

	(void)w;
	shut_doors(sw);
	if (sw->proxy)
		proxy_abort(sw->proxy);
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
	shut_doors(sw);
	report(sw->service, &sw->service->quiet);
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
	for (size_t i = 0; good && i < s->config->bind_n; i++) {
		char text[ADDRESS_TEXT_MAX];

		log_event(LOG_LEVEL_INFO, "listening", "listener",
		        s->config->bind[i].listener->name, "address",
		        address_text(listener_address(s->listeners[i]), text), NULL);
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
	if (!s->is_closed && atomic_load(&s->quiet) == s->worker_n)
		close_listeners(s);
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
	totals_log(workers, proxies, s->worker_n);
	mem_free(workers);
	mem_free(proxies);
}

void service_stop(struct service *s)
{
	bool is_whole = true;

	for (unsigned i = 0; i < s->worker_n; i++)
		if (s->workers[i].is_running)
			worker_stop(s->workers[i].worker);
	for (unsigned i = 0; i < s->worker_n; i++) {
		struct service_worker *sw = &s->workers[i];

		if (sw->is_running)
			worker_join(sw->worker);
		sw->is_running = false;
		is_whole = is_whole && sw->worker && sw->proxy;
	}
	if (is_whole)
		log_totals(s);
}
