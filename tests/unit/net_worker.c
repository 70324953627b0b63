/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "net/plain.h"
#include "net/sys.h"
#include "net/worker_private.h"

#include "net_tap.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(a_worker_that_cannot_be_had)
{
	ck_assert(fault_plan("eventfd:1:EMFILE"));
	errno = 0;
	ck_assert_ptr_null(worker_new(0));
	ck_assert_int_eq(errno, EMFILE);
	fault_plan(NULL);
	worker_free(NULL);
}
END_TEST

static unsigned fired;
static struct worker *worker;

static void on_fire(struct timer *t)
{
	(void)t;
	fired++;
}

START_TEST(timers_end_the_wait)
{
	struct worker *w = worker_new(0);
	struct timer near, far;
	fired = 0;
	timer_init(&near, on_fire);
	timer_init(&far, on_fire);
	worker_timer(w, &far, w->now_ms + 3600 * 1000);
	worker_timer(w, &near, w->now_ms + 20);
	uint64_t deadline = near.deadline_ms;
	while (fired == 0)
		worker_turn(w, -1);
	ck_assert_uint_ge(w->now_ms, deadline);
	ck_assert(timer_is_set(&far));
	/* A limit of the caller's. */
	worker_turn(w, 5);
	worker_turn(w, 0);
	ck_assert_uint_eq(fired, 1);
	timer_clear(&w->wheel, &far);
	uint64_t turns = worker_turns(w);
	worker_turn(w, 0);
	ck_assert_uint_eq(worker_turns(w), turns + 1);
	worker_free(w);
}
END_TEST

START_TEST(a_clock_that_stands_still)
{
	struct worker *w = worker_new(0);
	struct timer t;
	fired = 0;
	timer_init(&t, on_fire);
	uint64_t begin = w->now_ms;
	worker_set_time(w, begin);
	worker_timer(w, &t, begin + 3600 * 1000);
	worker_turn(w, 0);
	ck_assert_uint_eq(w->now_ms, begin);
	worker_set_time(w, begin + 3600 * 1000 - 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(fired, 0);
	worker_set_time(w, begin + 3600 * 1000);
	worker_turn(w, -1);
	ck_assert_uint_eq(fired, 1);
	worker_free(w);
}
END_TEST

struct thing {
	struct retired retired;
	struct thing *inner;
};

static unsigned freed;

static void free_thing(struct retired *r)
{
	struct thing *t = (struct thing *)(void *)r;
	if (t->inner)
		worker_retire(worker, &t->inner->retired, free_thing);
	freed++;
	free(t);
}

static void do_nothing(struct worker *w, void *arg)
{
	(void)w, (void)arg;
}

enum { WAITING = 100 }; /* more than one wait of libevent's tells */
static struct tap taps[WAITING];

static unsigned heard(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < WAITING; i++)
		n += taps[i].datas;
	return n;
}

static unsigned heard_before;

static void on_deadline(struct timer *t)
{
	(void)t;
	fired++;
	heard_before = heard();
}

/* What waits in the kernel came in time, and is read before the deadline that passed
 * meanwhile is looked at; and no more time has passed than up to that. */
START_TEST(a_process_that_was_stopped)
{
	struct worker *w = worker_new(0);
	struct timer t;
	int far[WAITING];
	for (unsigned i = 0; i < WAITING; i++) {
		int fd[2];
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		tap_init(&taps[i], plain_accepted(w, fd[0]));
		far[i] = fd[1];
	}
	fired = 0;
	timer_init(&t, on_deadline);
	worker_timer(w, &t, w->now_ms + 5000);
	uint64_t deadline = t.deadline_ms;
	ck_assert(worker_post(w, do_nothing, NULL));
	worker_turn(w, -1);              /* it has waited once, and set its alarm */
	w->priv->lost_ms -= 3600 * 1000; /* an hour passes */
	for (unsigned i = 0; i < WAITING; i++)
		ck_assert_int_eq(write(far[i], "x", 1), 1);
	while (!fired)
		worker_turn(w, 0);
	ck_assert_uint_eq(heard_before, WAITING);
	ck_assert_uint_ge(w->now_ms, deadline);
	ck_assert_uint_lt(w->now_ms, deadline + 3600 * 1000);
	ck_assert(!w->priv->is_behind);
	for (unsigned i = 0; i < WAITING; i++) {
		tap_free(&taps[i]);
		close(far[i]);
	}
	worker_free(w);
}
END_TEST

START_TEST(retired_things_are_freed_after_the_turn)
{
	worker = worker_new(0);
	struct thing *t = calloc(1, sizeof(*t));
	t->inner = calloc(1, sizeof(*t));
	freed = 0;
	worker_retire(worker, &t->retired, free_thing);
	ck_assert_uint_eq(freed, 0);
	worker_turn(worker, 0);
	ck_assert_uint_eq(freed, 2);
	worker_free(worker);
}
END_TEST

static unsigned ran[4], ran_n;

static void note(struct worker *w, void *arg)
{
	(void)w;
	ran[ran_n++] = *(unsigned *)arg;
}

START_TEST(posts_run_in_order)
{
	struct worker *w = worker_new(0);
	unsigned one = 1, two = 2, three = 3;
	ran_n = 0;
	ck_assert(worker_post(w, note, &one));
	ck_assert(worker_post(w, note, &two));
	worker_turn(w, -1);
	ck_assert_uint_eq(ran_n, 2);
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert(!worker_post(w, note, &three));
	fault_plan(NULL);
	ck_assert(worker_post(w, note, &three));
	worker_turn(w, -1);
	ck_assert_uint_eq(ran_n, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(ran[i], i + 1);
	/* What nobody takes any more is freed. */
	ck_assert(worker_post(w, note, &one));
	worker_free(w);
	ck_assert_uint_eq(ran_n, 3);
}
END_TEST

/* Two workers throw a ball to each other; a third thread, this one, throws in more. */
enum { THROWS = 2000, BALLS = 4 };
static struct worker *pair[2];
static atomic_uint throws, over;

static void catch_ball(struct worker *w, void *arg)
{
	ck_assert(w == pair[0] || w == pair[1]);
	if (atomic_fetch_add(&throws, 1) < THROWS) {
		ck_assert(worker_post(pair[w == pair[0]], catch_ball, arg));
		return;
	}
	if (atomic_fetch_add(&over, 1) + 1 == BALLS) {
		worker_stop(pair[0]);
		worker_stop(pair[1]);
	}
}

static void at_start(struct worker *w, void *arg)
{
	sigset_t mask;
	char name[16];
	ck_assert_ptr_eq(arg, &over);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ck_assert(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGUSR1));
	pthread_getname_np(pthread_self(), name, sizeof(name));
	w->layer[WORKER_LUA] = w;
}

static void at_end(struct worker *w, void *arg)
{
	ck_assert_ptr_eq(arg, &over);
	ck_assert_ptr_eq(w->layer[WORKER_LUA], w);
	w->layer[WORKER_LUA] = arg;
}

START_TEST(two_workers_post_to_each_other)
{
	sigset_t before, after;
	atomic_store(&throws, 0);
	atomic_store(&over, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	for (unsigned i = 0; i < 2; i++)
		pair[i] = worker_new(i);
	for (unsigned i = 0; i < 2; i++)
		ck_assert(worker_start(pair[i], at_start, at_end, &over));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert(sigismember(&after, SIGTERM) == sigismember(&before, SIGTERM));
	for (unsigned i = 0; i < BALLS; i++)
		ck_assert(worker_post(pair[i % 2], catch_ball, NULL));
	/* One of them stops both, and may still be at it when the other has ended. */
	for (unsigned i = 0; i < 2; i++)
		worker_join(pair[i]);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_ptr_eq(pair[i]->layer[WORKER_LUA], &over);
		ck_assert_uint_gt(worker_turns(pair[i]), 0);
		worker_free(pair[i]);
	}
	ck_assert_uint_eq(atomic_load(&over), BALLS);
}
END_TEST

START_TEST(what_is_posted_before_the_stop_is_run)
{
	struct worker *w = worker_new(0);
	unsigned seven = 7;
	ran_n = 0;
	ck_assert(worker_start(w, NULL, NULL, NULL));
	ck_assert(worker_post(w, note, &seven));
	worker_stop(w);
	worker_join(w);
	ck_assert_uint_eq(ran_n, 1);
	ck_assert_uint_eq(ran[0], 7);
	worker_free(w);
}
END_TEST

START_TEST(counters_have_names)
{
	ck_assert_uint_eq(sizeof(struct net_counters), net_counter_n * sizeof(counter));
	ck_assert_str_eq(net_counter_info[0].name, "accepted");
}
END_TEST

/* Messages need no memory, and keep their order among posts. */
START_TEST(messages_cannot_fail)
{
	struct worker *w = worker_new(0);
	unsigned number[3] = {1, 2, 3};
	struct worker_message m[2] = {
	        {.fn = note, .arg = &number[0]}, {.fn = note, .arg = &number[2]}};
	ran_n = 0;
	ck_assert(fault_plan("alloc:2:ENOMEM:1000"));
	worker_send(w, &m[0]);
	ck_assert(worker_post(w, note, &number[1]));
	worker_send(w, &m[1]);
	fault_plan(NULL);
	worker_turn(w, -1);
	ck_assert_uint_eq(ran_n, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(ran[i], i + 1);
	/* The same one again; and one that nobody hears is left alone. */
	worker_send(w, &m[0]);
	worker_turn(w, -1);
	ck_assert_uint_eq(ran_n, 4);
	worker_send(w, &m[0]);
	worker_free(w);
	ck_assert_uint_eq(ran_n, 4);
}
END_TEST

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
        __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { TURN_MAX = 4096 };
#else
enum { TURN_MAX = SYS_EVENTS_MAX };
#endif

enum { MANY = 3 * SYS_EVENTS_MAX };
static unsigned told[MANY], told_n;

static void on_told(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	++*(unsigned *)arg;
	told_n++;
}

/* Many events at once: a turn serves some, the next ones those that are left, in turn. */
START_TEST(a_turn_is_short)
{
	struct event events[MANY];
	worker = worker_new(0);
	for (int i = 0; i < MANY; i++) {
		int fd = sys_eventfd();
		ck_assert_int_eq(eventfd_write(fd, 1), 0);
		event_assign(&events[i], worker->base, fd, EV_READ | EV_PERSIST, on_told, &told[i]);
		ck_assert_int_eq(event_add(&events[i], NULL), 0);
	}
	for (int turns = 0; turns < 16; turns++) {
		told_n = 0;
		worker_turn(worker, 0);
		ck_assert_uint_gt(told_n, 0);
		ck_assert_uint_le(told_n, TURN_MAX);
	}
	for (int i = 0; i < MANY; i++) {
		ck_assert_uint_ge(told[i], 2);
		event_del(&events[i]);
		sys_close(event_get_fd(&events[i]));
	}
	worker_free(worker);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/worker");
	TCase *t = tcase_create("worker");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_worker_that_cannot_be_had);
	tcase_add_test(t, timers_end_the_wait);
	tcase_add_test(t, a_clock_that_stands_still);
	tcase_add_test(t, a_process_that_was_stopped);
	tcase_add_test(t, retired_things_are_freed_after_the_turn);
	tcase_add_test(t, posts_run_in_order);
	tcase_add_test(t, two_workers_post_to_each_other);
	tcase_add_test(t, what_is_posted_before_the_stop_is_run);
	tcase_add_test(t, counters_have_names);
	tcase_add_test(t, messages_cannot_fail);
	tcase_add_test(t, a_turn_is_short);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
