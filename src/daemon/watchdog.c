/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/watchdog.h"

#include "base/log.h"
#include "base/mem.h"
#include "daemon/notify.h"
#include "daemon/service.h"

#include <errno.h>
#include <event2/event.h>

/* While a worker is stuck it is looked at so much more often, so that one that recovers in time
 * is in time for the manager too. */
enum { PER_INTERVAL = 2, PER_INTERVAL_STUCK = 16 };

struct watchdog {
	struct event *timer;
	struct service *service;
	uint64_t interval_us;
	int stuck; /* the worker that was told of, or -1 */
};

static void wait_part(struct watchdog *w, unsigned parts)
{
	uint64_t us = w->interval_us / parts + 1;
	struct timeval wait = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	event_add(w->timer, &wait);
}

static void tell(const struct watchdog *w, enum log_level level, const char *event, int worker)
{
	struct log_line l;

	log_begin(&l, level, event);
	log_num(&l, "worker", worker);
	log_unum(&l, "watchdog_ms", w->interval_us / 1000);
	log_end(&l);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct watchdog *w = arg;
	int stuck = service_stuck(w->service);

	(void)fd, (void)what;
	if (stuck < 0 && w->stuck >= 0)
		tell(w, LOG_LEVEL_WARN, "worker_turns_again", w->stuck);
	else if (stuck >= 0 && w->stuck < 0)
		tell(w, LOG_LEVEL_ERROR, "worker_stuck", stuck);
	w->stuck = stuck;
	if (stuck < 0)
		notify_alive();
	wait_part(w, stuck < 0 ? PER_INTERVAL : PER_INTERVAL_STUCK);
}

struct watchdog *watchdog_new(struct event_base *base, struct service *s, uint64_t interval_us)
{
	struct watchdog *w = mem_new(sizeof(*w));

	*w = (struct watchdog){.service = s, .interval_us = interval_us, .stuck = -1};
	w->timer = event_new(base, -1, 0, on_time, w);
	if (!w->timer) {
		mem_free(w);
		errno = ENOMEM;
		return NULL;
	}
	on_time(-1, 0, w);
	return w;
}

void watchdog_free(struct watchdog *w)
{
	if (!w)
		return;
	event_free(w->timer);
	mem_free(w);
}
