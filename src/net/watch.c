/* SPDX-License-Identifier: BSD-2-Clause */

/* A worker's watch over a listening socket: listener.h. */

#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/sys.h"
#include "net/worker_private.h"

#include <errno.h>
#include <fcntl.h>

enum {
	BURST_MAX = 64,     /* accepts of one turn */
	SHED_MAX = 256,     /* connections closed at once in one go when descriptors are short */
	REST_MS = 100,      /* then the watch rests */
	CALM_MIN_MS = 1000, /* so long without a shortage ends it; doubled each time, */
	CALM_MAX_MS = 32 * 1000, /* so that one that comes and goes does not fill the log */
	/* As many as a backlog may hold: who floods a socket does not keep it open for ever. */
	FINISH_MAX = 65536,
};

struct watch {
	struct retired retired;
	struct worker *worker;
	listener_fn fn; /* NULL = stopped */
	void *arg;
	struct event event;
	struct timer rest;
	int fd;
	void (*done)(void *arg); /* the socket is to be closed; NULL = it is not */
	unsigned left;           /* then: most connections to accept yet */
	unsigned burst;          /* accepts to try in a turn */
	unsigned streak;         /* turns on end in which as many were to be had */
	uint64_t last_turn;      /* in which it was woken */
};

/* A shortage of descriptors, as one worker sees it. */

static void log_scarcity(struct worker *w, const char *event, int error)
{
	struct log_line l;

	log_begin(&l, LOG_LEVEL_WARN, event);
	log_num(&l, "worker", w->index);
	if (error)
		log_errno(&l, "error", error);
	else
		log_num(&l, "shed",
		        (int64_t)(counter_get(&w->counters.shed) - w->priv->scarcity.shed_before));
	log_end(&l);
}

void watch_end_scarcity(struct timer *t)
{
	struct worker_private *p = list_entry(t, struct worker_private, scarcity.end);

	p->scarcity.is_on = false;
	log_scarcity(p->scarcity.worker, "descriptors_available", 0);
}

static void begin_scarcity(struct worker *w, int error)
{
	struct scarcity *s = &w->priv->scarcity;

	if (!s->is_on) {
		s->is_on = true;
		s->worker = w;
		s->shed_before = counter_get(&w->counters.shed);
		s->calm_ms = s->calm_ms < CALM_MIN_MS ? CALM_MIN_MS : s->calm_ms * 2;
		if (s->calm_ms > CALM_MAX_MS)
			s->calm_ms = CALM_MAX_MS;
		log_scarcity(w, "descriptors_exhausted", error);
	}
	worker_timer(w, &s->end, w->now_ms + s->calm_ms);
}

static void keep_spare(struct worker *w)
{
	if (w->priv->scarcity.spare_fd < 0)
		w->priv->scarcity.spare_fd = sys_open("/dev/null", O_RDONLY, 0);
}

/* Gives the spare descriptor to those who wait, one after the other, and closes each:
 * better than to let them wait for an answer that does not come. */
static void shed(struct watch *x)
{
	struct worker *w = x->worker;
	struct scarcity *s = &w->priv->scarcity;

	if (s->spare_fd < 0)
		return;
	sys_close(s->spare_fd);
	s->spare_fd = -1;
	for (int i = 0; i < SHED_MAX; i++) {
		int fd = sys_accept(x->fd, NULL, NULL);
		if (fd < 0)
			break;
		sys_close(fd);
		counter_inc(&w->counters.shed);
	}
	keep_spare(w);
}

static void rest(struct watch *x)
{
	x->left = 0;
	if (x->done)
		return;
	event_del(&x->event);
	worker_timer(x->worker, &x->rest, x->worker->now_ms + REST_MS);
}

static void finish_some(struct watch *x);

static void on_rested(struct timer *t)
{
	struct watch *x = list_entry(t, struct watch, rest);

	if (x->done) {
		finish_some(x);
		return;
	}
	keep_spare(x->worker);
	if (sys_event_add(&x->event) < 0)
		worker_timer(x->worker, &x->rest, x->worker->now_ms + REST_MS);
}

/* What accept(2) tells of a connection that failed before it was taken; the next one
 * may be sound. */
static bool is_transient(int error)
{
	switch (error) {
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
	case EPERM:
		return true;
	default:
		return false;
	}
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void refuse(struct watch *x, int error)
{
	counter_inc(&x->worker->counters.accept_errors);
	if (is_transient(error))
		return;
	if (is_shortage(error)) {
		begin_scarcity(x->worker, error);
		shed(x);
	} else {
		struct log_line l;
		log_begin(&l, LOG_LEVEL_ERROR, "accept_failed");
		log_errno(&l, "error", error);
		log_end(&l);
	}
	rest(x);
}

/* False when nothing more is to be had now. */
static bool accept_one(struct watch *x)
{
	struct address peer;

	peer.len = sizeof(peer.storage);
	int fd = sys_accept(x->fd, &peer.sa, &peer.len);
	if (fd < 0) {
		int error = errno;
		if (error == EAGAIN)
			return false;
		refuse(x, error);
		return is_transient(error);
	}
	counter_inc(&x->worker->counters.accepted);
	x->fn(x->worker, fd, &peer, x->arg);
	return x->fn != NULL;
}

/* How many accepts to try. At low load one, without a second that finds nothing; when
 * turns on end each found all they tried, twice as many each time. */
static unsigned next_burst(struct watch *x)
{
	uint64_t turn = worker_turns(x->worker);

	if (turn != x->last_turn + 1) {
		x->streak = 0;
		x->burst = 1;
	}
	x->last_turn = turn;
	if (x->streak >= 2 && x->burst < BURST_MAX)
		x->burst *= 2;
	return x->burst;
}

static void on_waiting(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct watch *x = arg;
	unsigned n = 0;

	worker_read_clock(x->worker);
	unsigned burst = next_burst(x);
	while (n < burst && accept_one(x))
		n++;
	x->streak = n == burst ? x->streak + 1 : 0;
	if (n < burst)
		x->burst = 1;
}

static struct watch *watch_new(struct listener *l, struct worker *w, listener_fn fn, void *arg)
{
	struct watch *x = mem_new(sizeof(*x));

	*x = (struct watch){
	        .worker = w, .fn = fn, .arg = arg, .fd = listener_fd(l, w->index), .burst = 1};
	timer_init(&x->rest, on_rested);
	event_assign(&x->event, w->base, x->fd, EV_READ | EV_PERSIST, on_waiting, x);
	keep_spare(w);
	return x;
}

struct watch *listener_watch(struct listener *l, struct worker *w, listener_fn fn, void *arg)
{
	struct watch *x = watch_new(l, w, fn, arg);

	if (sys_event_add(&x->event) == 0)
		return x;
	mem_free(x);
	return NULL;
}

struct watch *listener_watch_soon(struct listener *l, struct worker *w, listener_fn fn, void *arg)
{
	struct watch *x = watch_new(l, w, fn, arg);

	if (sys_event_add(&x->event) < 0)
		worker_timer(w, &x->rest, w->now_ms + REST_MS);
	return x;
}

/* No event tells that the queue is empty, so it is asked, by the timer in the next turn. */
static void finish_some(struct watch *x)
{
	void (*done)(void *arg) = x->done;
	void *arg = x->arg;
	unsigned n = 0;

	while (n < BURST_MAX && x->left > 0 && accept_one(x)) {
		n++;
		x->left -= x->left > 0;
	}
	if (!x->fn)
		return;
	if (n == BURST_MAX && x->left > 0) {
		worker_timer(x->worker, &x->rest, x->worker->now_ms);
		return;
	}
	watch_stop(x);
	done(arg);
}

void watch_finish(struct watch *x, void (*done)(void *arg))
{
	event_del(&x->event);
	timer_clear(&x->worker->wheel, &x->rest);
	x->done = done;
	x->left = FINISH_MAX;
	finish_some(x);
}

static void free_watch(struct retired *r)
{
	mem_free(list_entry(r, struct watch, retired));
}

void watch_stop(struct watch *x)
{
	if (!x)
		return;
	x->fn = NULL;
	event_del(&x->event);
	timer_clear(&x->worker->wheel, &x->rest);
	worker_retire(x->worker, &x->retired, free_watch);
}
