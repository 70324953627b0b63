/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/reload.h"

#include "admin/totals.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/logs.h"
#include "daemon/notify.h"
#include "daemon/service.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

enum { SLOW_S = 5 }; /* then it is told which worker is waited for */

struct reload {
	const char *path;
	struct service *service;
	struct event *slow;
	bool is_swapping, wants_another, is_stopped;
	uint64_t begun_ms;
	struct part_counts counts[PART_KINDS];
};

void reload_log_lines(const struct config_errors *e)
{
	for (size_t i = 0; i < e->line_n; i++) {
		bool is_warning = e->line[i].is_warning;
		struct log_line l;

		log_begin(&l, is_warning ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
		        is_warning ? "config_warning" : "config_error");
		log_slice(&l, "text", config_errors_line(e, i));
		log_end(&l);
	}
}

/* ---- refused ---- */

static struct slice first_error(const struct config_errors *e)
{
	for (size_t i = 0; i < e->line_n; i++)
		if (!e->line[i].is_warning)
			return config_errors_line(e, i);
	return SLICE("");
}

static void refuse(struct reload *r, const struct config_errors *errors)
{
	struct slice first = first_error(errors);
	struct log_line l;

	counter_inc(&service_counters(r->service)->reloads_failed);
	reload_log_lines(errors);
	log_begin(&l, LOG_LEVEL_ERROR, "reload_failed");
	log_unum(&l, "errors", errors->n);
	log_slice(&l, "first", first);
	log_unum(&l, "ms", clock_ms() - r->begun_ms);
	log_end(&l);
	notify_ready("reload refused, serving as before: %.*s%s", (int)first.len,
	        (const char *)first.at, errors->n > 1 ? " (and others)" : "");
}

/* ---- taken over ---- */

static void log_counts(struct log_line *l, const char *what, const struct part_counts *c)
{
	const struct {
		const char *how;
		unsigned n;
	} all[] = {
	        {"kept", c->kept}, {"new", c->fresh}, {"changed", c->changed}, {"gone", c->gone}};
	char key[40];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(key, sizeof(key), "%s_%s", what, all[i].how);
		log_unum(l, key, all[i].n);
	}
}

static void log_reloaded(const struct reload *r)
{
	static const char *const names[PART_KINDS] = {[PART_LISTENER] = "listeners",
	        [PART_UPSTREAM] = "upstreams",
	        [PART_ROUTE] = "routes"};
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "reloaded");
	log_unum(&l, "ms", clock_ms() - r->begun_ms);
	for (int i = 0; i < PART_KINDS; i++)
		log_counts(&l, names[i], &r->counts[i]);
	log_end(&l);
}

/* What a large configuration took is given back, or its holes would stay. */
static void finish(struct reload *r)
{
	event_del(r->slow);
	service_swapped(r->service);
	logs_end(service_config(r->service));
	malloc_trim(0);
	r->is_swapping = false;
	counter_inc(&service_counters(r->service)->reloads);
	log_reloaded(r);
	uint64_t n = counter_get(&service_counters(r->service)->reloads);
	if (!r->is_stopped)
		notify_ready(
		        "serving, reloaded %llu time%s", (unsigned long long)n, n == 1 ? "" : "s");
}

static void on_slow(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {SLOW_S, 0};
	struct reload *r = arg;
	struct log_line l;

	(void)fd, (void)what;
	log_begin(&l, LOG_LEVEL_WARN, "reload_waits");
	log_num(&l, "worker", service_not_swapped(r->service));
	log_unum(&l, "ms", clock_ms() - r->begun_ms);
	log_end(&l);
	event_add(r->slow, &again);
}

/* ---- begun ---- */

/* All that can fail. Logs come last: a file that is made for one stays, for by its name nobody
 * could remove it and be sure that it still is that file. */
static bool prepare(struct reload *r, struct config *next, struct config_errors *errors)
{
	const struct config *now = service_config(r->service);

	if (!service_prepare(r->service, next, errors))
		return false;
	if (logs_prepare(next, now, r->path, errors))
		return true;
	service_drop(r->service);
	return false;
}

static void take_over(struct reload *r, struct config *next)
{
	const struct timeval slow = {SLOW_S, 0};
	const struct config *now = service_config(r->service);

	for (int i = 0; i < PART_KINDS; i++)
		r->counts[i] = parts_compare(&now->parts[i], &next->parts[i]);
	r->is_swapping = true;
	logs_use(next);
	service_swap(r->service, next);
	event_add(r->slow, &slow);
}

static void begin(struct reload *r)
{
	struct config_errors problems = {.text = NULL}, errors = {.text = NULL};
	struct config *next;

	r->wants_another = false;
	r->begun_ms = clock_ms();
	notify_reloading();
	next = config_reload(r->path, service_config(r->service), &problems);
	if (!next) {
		refuse(r, &problems);
	} else if (!prepare(r, next, &errors)) {
		refuse(r, &errors);
		config_free(next);
	} else {
		reload_log_lines(&problems);
		take_over(r, next);
	}
	config_errors_free(&problems);
	config_errors_free(&errors);
}

void reload_request(struct reload *r)
{
	if (r->is_stopped)
		return;
	r->wants_another = true;
	if (!r->is_swapping)
		begin(r);
}

void reload_look(struct reload *r)
{
	if (!r->is_swapping || service_not_swapped(r->service) >= 0)
		return;
	finish(r);
	if (r->wants_another && !r->is_stopped)
		begin(r);
}

void reload_stop(struct reload *r)
{
	r->is_stopped = true;
}

struct reload *reload_new(const char *path, struct service *s, struct event_base *base)
{
	struct reload *r = mem_new(sizeof(*r));

	*r = (struct reload){.path = path, .service = s};
	r->slow = event_new(base, -1, 0, on_slow, r);
	if (r->slow)
		return r;
	mem_free(r);
	errno = ENOMEM;
	return NULL;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	event_free(r->slow);
	mem_free(r);
}
