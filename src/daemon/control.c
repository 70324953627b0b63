/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/control.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/exit.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/say.h"
#include "daemon/service.h"
#include "daemon/signals.h"
#include "daemon/watchdog.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	SPREAD_FROM = 100,       /* so many sessions are not closed all at once */
	CLOSE_GRACE_MS = 6000,   /* after drain_timeout: close_timeout's default and some air */
	IGNORED_QUIET_MS = 1000, /* between two lines of one ignored signal */
	SIGNALS_PER_TURN = 16,
	DRAIN_TOLD_S = 5,      /* between two words to the service manager while draining */
	DRAIN_MORE_MS = 20000, /* what each of them asks for */
	STALLS_MS = 400,       /* between two looks for scripts that hold a worker */
	STALLS_OFF_S = 10,     /* while there are none */
};

enum control_state { RUNNING, DRAINING, ENDED };

/* How often a signal that means nothing came. */
struct ignored {
	uint64_t count;
	uint64_t told_ms; /* 0 = never */
};

struct control {
	struct event_base *base;
	struct event *signal, *report, *deadline, *progress, *stalls;
	struct watchdog *watchdog; /* or NULL */
	struct reload *reload;     /* or NULL */
	int signal_fd, report_fd;
	enum control_state state;
	struct service *service;
	struct ignored ignored[NSIG];
};

static void control_end(struct control *c)
{
	c->state = ENDED;
	event_base_loopbreak(c->base);
}

/* Without it the manager ends a long drain by SIGKILL. */
static void tell_progress(struct control *c)
{
	const struct timeval again = {DRAIN_TOLD_S, 0};

	notify_stopping(
	        DRAIN_MORE_MS, "stopping: %" PRIu64 " sessions left", service_sessions(c->service));
	event_add(c->progress, &again);
}

static void on_progress(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	tell_progress(arg);
}

/* Whatever a peer or a worker does, the end comes: the deadline counts from now. */
static void control_drain(struct control *c, int signal)
{
	uint32_t drain_ms = service_config(c->service)->drain_timeout_ms;
	uint64_t sessions = service_sessions(c->service);
	uint32_t spread_ms = sessions >= SPREAD_FROM ? drain_ms : 0;
	uint64_t wait_ms = (uint64_t)drain_ms + CLOSE_GRACE_MS;
	struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
	struct log_line l;
	char name[16];

	log_begin(&l, LOG_LEVEL_INFO, "stopping");
	log_text(&l, "signal", signals_name(signal, name));
	log_unum(&l, "sessions", sessions);
	log_unum(&l, "spread_ms", spread_ms);
	log_end(&l);
	c->state = DRAINING;
	if (c->reload)
		reload_stop(c->reload);
	tell_progress(c);
	event_add(c->deadline, &wait);
	service_drain(c->service, spread_ms);
}

/* With scripts and lua_stall only; a reload may bring them. */
static void on_stalls(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	const struct timeval often = {0, STALLS_MS * 1000}, rarely = {STALLS_OFF_S, 0};

	(void)fd, (void)what;
	event_add(c->stalls, service_look_for_stalls(c->service) ? &often : &rarely);
}

static void control_stop(struct control *c, int signal)
{
	char name[16];

	if (c->state == RUNNING) {
		control_drain(c, signal);
		return;
	}
	log_event(LOG_LEVEL_WARN, "stopping_now", "signal", signals_name(signal, name), NULL);
	control_end(c);
}

/* A storm of them makes one line a second. */
static void control_ignore(struct control *c, int signal)
{
	struct ignored *i = &c->ignored[signal];
	uint64_t now = clock_ms();
	struct log_line l;
	char name[16];

	i->count++;
	if (i->told_ms != 0 && now - i->told_ms < IGNORED_QUIET_MS)
		return;
	i->told_ms = now;
	log_begin(&l, LOG_LEVEL_INFO, "signal_ignored");
	log_text(&l, "signal", signals_name(signal, name));
	log_unum(&l, "count", i->count);
	log_end(&l);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	bool is_reload = false;
	int signal;

	(void)what;
	for (int i = 0; i < SIGNALS_PER_TURN && c->state != ENDED; i++) {
		signal = signals_next(fd);
		if (signal == 0)
			break;
		if (signals_is_stop(signal))
			control_stop(c, signal);
		else if (signal == SIGUSR1)
			log_reopen();
		else if (signal == SIGHUP && c->reload && c->state == RUNNING)
			is_reload = true;
		else if (signal > 0 && signal < NSIG)
			control_ignore(c, signal);
	}
	/* After the others: a stop goes before it. */
	if (is_reload && c->state == RUNNING)
		reload_request(c->reload);
}

static void on_report(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	if (c->reload)
		reload_look(c->reload);
	if (service_look(c->service) && c->state == DRAINING)
		control_end(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct log_line l;

	(void)fd;
	(void)what;
	log_begin(&l, LOG_LEVEL_WARN, "drain_timeout");
	log_unum(&l, "sessions", service_sessions(c->service));
	log_end(&l);
	control_end(c);
}

/* What libevent has to say is only ever that a call failed. After an error, as when the
 * descriptors do not suffice for another loop, it ends the process. */
static void on_libevent(int severity, const char *text)
{
	if (severity >= EVENT_LOG_ERR)
		say("%s", text);
	else
		log_event(LOG_LEVEL_WARN, "libevent", "text", text, NULL);
}

static void on_libevent_fatal(int error)
{
	(void)error;
	_exit(EXIT_FAILED);
}

static bool open_events(struct control *c)
{
	c->base = event_base_new();
	if (!c->base)
		return false;
	c->signal = event_new(c->base, c->signal_fd, EV_READ | EV_PERSIST, on_signal, c);
	c->report = event_new(c->base, c->report_fd, EV_READ | EV_PERSIST, on_report, c);
	c->deadline = event_new(c->base, -1, 0, on_deadline, c);
	c->progress = event_new(c->base, -1, 0, on_progress, c);
	c->stalls = event_new(c->base, -1, 0, on_stalls, c);
	return c->signal && c->report && c->deadline && c->progress && c->stalls &&
	       event_add(c->signal, NULL) == 0 && event_add(c->report, NULL) == 0;
}

struct control *control_new(void)
{
	struct control *c = mem_new(sizeof(*c));

	event_set_log_callback(on_libevent);
	event_set_fatal_callback(on_libevent_fatal);
	c->signal_fd = signals_open();
	c->report_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->signal_fd >= 0 && c->report_fd >= 0 && open_events(c))
		return c;
	control_free(c);
	return NULL;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void control_free(struct control *c)
{
	int saved = errno;

	if (!c)
		return;
	free_event(c->signal);
	free_event(c->report);
	free_event(c->deadline);
	free_event(c->progress);
	free_event(c->stalls);
	watchdog_free(c->watchdog);
	if (c->base)
		event_base_free(c->base);
	if (c->signal_fd >= 0)
		close(c->signal_fd);
	if (c->report_fd >= 0)
		close(c->report_fd);
	mem_free(c);
	errno = saved;
}

int control_report_fd(const struct control *c)
{
	return c->report_fd;
}

void control_run(struct control *c, struct service *s, const char *path)
{
	c->service = s;
	c->reload = reload_new(path, s, c->base);
	if (notify_watchdog_us() > 0)
		c->watchdog = watchdog_new(c->base, s, notify_watchdog_us());
	on_stalls(-1, 0, c);
	event_base_dispatch(c->base);
	watchdog_free(c->watchdog);
	c->watchdog = NULL;
	reload_free(c->reload);
	c->reload = NULL;
}
