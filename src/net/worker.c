/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/worker.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/plain.h"
#include "net/sys.h"
#include "net/tls_memory.h"
#include "net/tls_wire.h"
#include "net/worker_private.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const struct counter_info net_counter_info[] = {NET_COUNTERS(COUNTER_INFO)};
const unsigned net_counter_n = sizeof(net_counter_info) / sizeof(net_counter_info[0]);

struct post { /* a message of our own, freed when it was heard */
	struct worker_message message;
	worker_fn fn;
	void *arg;
};

/* A process that is stopped, or starved, wakes up when deadlines have passed, and what
 * its peers sent in time waits in the kernel. So an alarm that comes later than LATE_MS
 * makes the worker's time stand still until that was read, for CATCH_UP_MS at most; then
 * it goes on from when the alarm was due. */
enum { LATE_MS = 500, CATCH_UP_MS = 1000 };

uint64_t worker_running_ms(const struct worker *w)
{
	return w->priv->is_still ? w->now_ms : clock_ms() - w->priv->lost_ms;
}

static void fall_behind(struct worker *w)
{
	w->priv->is_behind = true;
	w->priv->behind_ms = w->priv->alarm_ms;
	w->priv->behind_until_ms = clock_ms() + CATCH_UP_MS;
}

static void catch_up(struct worker *w)
{
	struct worker_private *p = w->priv;

	p->is_behind = false;
	if (w->now_ms < p->behind_ms)
		w->now_ms = p->behind_ms;
	p->lost_ms = clock_ms() - w->now_ms;
}

void worker_read_clock_now(struct worker *w)
{
	struct worker_private *p = w->priv;

	p->has_clock = true;
	if (p->is_behind)
		return;
	uint64_t now = worker_running_ms(w);
	if (!p->is_still && now > p->alarm_ms && now - p->alarm_ms > LATE_MS)
		fall_behind(w);
	else
		w->now_ms = now;
}

void worker_set_time(struct worker *w, uint64_t now_ms)
{
	assert(now_ms >= w->now_ms);
	w->priv->is_still = true;
	w->now_ms = now_ms;
}

static void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct worker *w = arg;
	worker_read_clock(w);
	w->priv->alarm_ms = UINT64_MAX;
}

/* Edge-triggered, so the eventfd need not be read. */
static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct worker *w = arg;
	worker_read_clock(w);
	w->priv->rung = true;
}

static void ring(struct worker *w)
{
	uint64_t one = 1;
	/* Fails only when the count is full, and then the bell has been rung. */
	ssize_t n = write(w->priv->bell_fd, &one, sizeof(one));
	(void)n;
}

/* epoll, for edge triggering and EPOLLRDHUP; without libevent's locks, because only
 * the worker's thread touches the base. */
static struct event_base *new_base(void)
{
	struct event_config *c = event_config_new();
	if (!c)
		return NULL;
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(c, EVENT_BASE_FLAG_IGNORE_ENV);
	event_config_require_features(c, EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE);
	struct event_base *base = sys_event_base(c);
	event_config_free(c);
	return base;
}

static bool init_events(struct worker *w)
{
	struct worker_private *p = w->priv;

	p->bell_fd = sys_eventfd();
	if (p->bell_fd < 0)
		return false;
	w->base = new_base();
	if (!w->base)
		return false;
	event_assign(&p->alarm, w->base, -1, 0, on_alarm, w);
	event_assign(&p->bell, w->base, p->bell_fd, EV_READ | EV_ET | EV_PERSIST, on_bell, w);
	return sys_event_add(&p->bell) == 0;
}

static void free_events(struct worker *w)
{
	if (w->base) {
		event_del(&w->priv->bell);
		event_del(&w->priv->alarm);
		event_base_free(w->base);
	}
	if (w->priv->bell_fd >= 0)
		sys_close(w->priv->bell_fd);
}

static void free_memory(struct worker *w)
{
	pthread_mutex_destroy(&w->priv->lock);
	mem_free(w->rx - WORKER_RX_HEADROOM);
	mem_free(w->priv);
	mem_free(w);
}

struct worker *worker_new(unsigned index)
{
	struct worker *w = mem_new(sizeof(*w));
	struct worker_private *p = w->priv = mem_new(sizeof(*p));

	w->index = index;
	w->now_ms = clock_ms();
	w->rx = (uint8_t *)mem_new(WORKER_RX_HEADROOM + WORKER_RX_SIZE) + WORKER_RX_HEADROOM;
	wheel_init(&w->wheel, w->now_ms);
	list_init(&w->ready);
	list_init(&p->doubtful);
	timer_init(&p->sweep, plain_sweep);
	timer_init(&p->scarcity.end, watch_end_scarcity);
	p->scarcity.spare_fd = -1;
	p->alarm_ms = UINT64_MAX;
	pthread_mutex_init(&p->lock, NULL);
	if (!init_events(w)) {
		int error = errno ? errno : ENOMEM;
		free_events(w);
		free_memory(w);
		errno = error;
		return NULL;
	}
	chunk_pool_init(&w->chunks);
	plain_pool_init(&p->plain);
	return w;
}

void worker_free_retired(struct worker *w)
{
	while (w->retired) {
		struct retired *r = w->retired;
		w->retired = r->next;
		r->free(r);
	}
}

static void run_post(struct worker *w, void *arg)
{
	struct post *post = arg;

	post->fn(w, post->arg);
	mem_free(post);
}

/* What was posted and is not taken yet. */
static struct worker_message *take_messages(struct worker_private *p)
{
	pthread_mutex_lock(&p->lock);
	struct worker_message *first = p->first;
	p->first = p->last = NULL;
	pthread_mutex_unlock(&p->lock);
	return first;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	struct worker_private *p = w->priv;

	worker_free_retired(w);
	for (struct worker_message *next, *m = take_messages(p); m; m = next) {
		next = m->next;
		if (m->fn == run_post)
			mem_free(m->arg);
	}
	assert(list_is_empty(&w->ready) && list_is_empty(&p->doubtful));
	timer_clear(&w->wheel, &p->sweep);
	timer_clear(&w->wheel, &p->scarcity.end);
	if (p->scarcity.spare_fd >= 0)
		sys_close(p->scarcity.spare_fd);
	assert(wheel_next(&w->wheel) == UINT64_MAX);
	free_events(w);
	tls_wire_free(p->wire);
	pool_fini(&w->chunks);
	pool_fini(&p->plain);
	free_memory(w);
}

static void run_posts(struct worker *w)
{
	w->priv->rung = false;
	for (struct worker_message *next, *m = take_messages(w->priv); m; m = next) {
		next = m->next;
		m->fn(w, m->arg);
	}
}

/* Only those that are ready now: a stream that stays ready waits for the next turn,
 * behind the others. */
static void serve_ready(struct worker *w)
{
	struct list now;
	list_init(&now);
	list_take(&now, &w->ready);
	while (!list_is_empty(&now)) {
		struct stream *s = list_entry(now.next, struct stream, ready);
		list_remove(&s->ready);
		s->flags &= (uint16_t)~STREAM_READY;
		s->ops->wake(s);
	}
}

/* False when memory is short; then the wait must not be long. An alarm that goes off
 * too early does no harm, so it is set only when one is needed earlier than it is. */
static bool set_alarm(struct worker *w, uint64_t when)
{
	struct worker_private *p = w->priv;

	if (when >= p->alarm_ms)
		return true;
	uint64_t now = worker_running_ms(w);
	uint64_t wait = when > now ? when - now : 0;
	struct timeval tv = {
	        .tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)};
	if (event_add(&p->alarm, &tv) < 0)
		return false;
	p->alarm_ms = when;
	return true;
}

/* Whether the turn may wait for events; until when is the alarm's business. */
static bool may_wait(struct worker *w, int wait_ms)
{
	uint64_t until = wheel_next(&w->wheel);

	if (wait_ms == 0 || !list_is_empty(&w->ready) || until <= w->now_ms || w->priv->is_behind)
		return false;
	if (wait_ms > 0) {
		uint64_t limit = worker_running_ms(w) + (unsigned)wait_ms;
		until = limit < until ? limit : until;
	}
	return set_alarm(w, until);
}

/* What the watchdog is for: a turn that never ends (turn:N:EDEADLK), and one that ends
 * the process (turn:N:EFAULT). */
static void fail_turn(void)
{
	int error = fault_next("turn");

	assert(error != EFAULT);
	while (error != 0)
		pause();
}

void worker_turn(struct worker *w, int wait_ms)
{
	struct worker_private *p = w->priv;
	int flags = EVLOOP_ONCE | (may_wait(w, wait_ms) ? 0 : EVLOOP_NONBLOCK);
	bool was_behind = p->is_behind;

	p->has_clock = false;
	fail_turn();
	event_base_loop(w->base, flags);
	bool is_quiet = !p->has_clock && list_is_empty(&w->ready);
	worker_read_clock(w);
	if (p->rung)
		run_posts(w);
	if (!list_is_empty(&w->ready))
		serve_ready(w);
	if (was_behind && (is_quiet || clock_ms() >= p->behind_until_ms))
		catch_up(w);
	wheel_advance(&w->wheel, w->now_ms);
	if (w->retired)
		worker_free_retired(w);
	counter_inc(&p->turns);
}

static void *run(void *arg)
{
	struct worker *w = arg;
	struct worker_private *p = w->priv;

	log_thread_init();
	worker_read_clock_now(w);
	if (p->at_start)
		p->at_start(w, p->arg);
	while (!atomic_load_explicit(&p->stopping, memory_order_acquire))
		worker_turn(w, -1);
	run_posts(w);
	if (p->at_end)
		p->at_end(w, p->arg);
	worker_free_retired(w);
	log_thread_fini();
	tls_memory_thread_fini();
	budget_settle();
	return NULL;
}

/* Lua that calls itself through C functions needs so much before its own limit ends it. It is
 * address space until it is used. */
enum { STACK_SIZE = 64 * 1024 * 1024 };

static int create_thread(pthread_t *thread, struct worker *w)
{
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	int error = pthread_create(thread, &attr, run, w);
	pthread_attr_destroy(&attr);
	return error;
}

/* Signals are the control thread's: the new thread inherits a mask that blocks all. */
bool worker_start(struct worker *w, worker_fn first, worker_fn last, void *arg)
{
	struct worker_private *p = w->priv;
	sigset_t all, before;
	char name[16];

	p->at_start = first;
	p->at_end = last;
	p->arg = arg;
	atomic_store(&p->stopping, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = fault_next("thread");
	if (!error)
		error = create_thread(&p->thread, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		errno = error;
		return false;
	}
	snprintf(name, sizeof(name), "moongate-w%u", w->index % 100000);
	pthread_setname_np(p->thread, name);
	return true;
}

void worker_stop(struct worker *w)
{
	atomic_store_explicit(&w->priv->stopping, true, memory_order_release);
	ring(w);
}

void worker_join(struct worker *w)
{
	pthread_join(w->priv->thread, NULL);
}

bool worker_join_within(struct worker *w, uint32_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return pthread_timedjoin_np(w->priv->thread, NULL, &until) == 0;
}

void worker_send(struct worker *w, struct worker_message *m)
{
	struct worker_private *p = w->priv;

	m->next = NULL;
	pthread_mutex_lock(&p->lock);
	bool was_empty = !p->first;
	*(was_empty ? &p->first : &p->last->next) = m;
	p->last = m;
	pthread_mutex_unlock(&p->lock);
	if (was_empty)
		ring(w);
}

bool worker_post(struct worker *w, worker_fn fn, void *arg)
{
	struct post *post = mem_try(sizeof(*post));

	if (!post)
		return false;
	*post = (struct post){{NULL, run_post, post}, fn, arg};
	worker_send(w, &post->message);
	return true;
}

void worker_retire(struct worker *w, struct retired *r, void (*free_fn)(struct retired *r))
{
	r->free = free_fn;
	r->next = w->retired;
	w->retired = r;
}

void worker_poke(struct worker *w)
{
	ring(w);
}

uint64_t worker_turns(const struct worker *w)
{
	return counter_get(&w->priv->turns);
}
