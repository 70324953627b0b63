/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "net/listener.h"
#include "net/sys.h"
#include "net/worker_private.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 200 };

static struct worker *w;
static struct listener *l;
static struct watch *watch;
static char why[160], log_path[64];
static int got[MANY], mine[MANY];
static unsigned got_n, mine_n;
static struct address peer;
static bool stop_in_fn;

static void on_accept(struct worker *worker, int fd, const struct address *from, void *arg)
{
	ck_assert_ptr_eq(worker, w);
	ck_assert_ptr_eq(arg, &got_n);
	got[got_n++] = fd;
	peer = *from;
	if (stop_in_fn) {
		watch_stop(watch);
		watch = NULL;
	}
}

static void open_at(const char *address)
{
	struct listener_settings s = {.backlog = 4096, .owner = (uid_t)-1, .group = (gid_t)-1};
	ck_assert(address_parse(&s.address, address));
	l = listener_open(&s, 1, why);
	ck_assert_msg(l != NULL, "%s", why);
	watch = listener_watch(l, w, on_accept, &got_n);
	ck_assert_ptr_nonnull(watch);
}

static void setup(void)
{
	snprintf(log_path, sizeof(log_path), "/tmp/net_watch.%d.log", (int)getpid());
	unlink(log_path);
	ck_assert(log_open(log_path, LOG_LEVEL_INFO));
	got_n = mine_n = 0;
	stop_in_fn = false;
	w = worker_new(0);
	open_at("127.0.0.1:0");
}

static void teardown(void)
{
	fault_plan(NULL);
	watch_stop(watch);
	worker_turn(w, 0);
	worker_free(w);
	listener_close(l);
	while (got_n > 0)
		close(got[--got_n]);
	while (mine_n > 0)
		close(mine[--mine_n]);
	log_open("stderr", LOG_LEVEL_INFO);
	unlink(log_path);
}

static void dial(unsigned n)
{
	const struct address *a = listener_address(l);
	while (n-- > 0) {
		int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(connect(fd, &a->sa, a->len), 0);
		mine[mine_n++] = fd;
	}
}

static unsigned log_lines(const char *event)
{
	char line[LOG_LINE_MAX];
	unsigned n = 0;
	FILE *f = fopen(log_path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, event) != NULL;
	fclose(f);
	return n;
}

#define UNTIL(condition)                                                    \
	for (uint64_t until = clock_ms() + 20000; !(condition);) {          \
		ck_assert_msg(clock_ms() < until, "never: %s", #condition); \
		worker_turn(w, 100);                                        \
	}

static uint64_t count(counter *c)
{
	return counter_get(c);
}

/* The whole plan: how many accept calls are made, known by the one that would fail. */
START_TEST(one_accept_for_a_lone_connection)
{
	dial(1);
	ck_assert(fault_plan("accept:2:EPROTO"));
	UNTIL(got_n == 1);
	ck_assert_uint_eq(count(&w->counters.accept_errors), 0);
	ck_assert_uint_eq(count(&w->counters.accepted), 1);
	struct address a = {.len = sizeof(a.storage)};
	ck_assert_int_eq(getsockname(mine[0], &a.sa, &a.len), 0);
	ck_assert(address_equal(&a, &peer));
	ck_assert(fcntl(got[0], F_GETFL) & O_NONBLOCK);
}
END_TEST

START_TEST(a_storm_takes_few_turns)
{
	dial(MANY);
	uint64_t before = worker_turns(w);
	UNTIL(got_n == MANY);
	ck_assert_uint_le(worker_turns(w) - before, 16);
	/* And then there is calm again. */
	worker_turn(w, 0);
	worker_turn(w, 0);
	worker_turn(w, 0);
	ck_assert_uint_eq(watch != NULL, 1);
	got_n--;
	close(got[got_n]);
	dial(0);
}
END_TEST

static const char *const transient[] = {
        "accept:1:ECONNABORTED",
        "accept:1:EPROTO",
        "accept:1:ENETDOWN",
        "accept:1:EPERM:5",
        "accept:1:ETIMEDOUT",
        "accept:1:EINTR",
        "accept:1:EAGAIN",
};

START_TEST(failures_of_single_connections_are_skipped)
{
	dial(3);
	ck_assert(fault_plan(transient[_i]));
	UNTIL(got_n == 3);
	ck_assert_uint_eq(log_lines("descriptors"), 0);
	ck_assert(!timer_is_set(&w->priv->scarcity.end));
}
END_TEST

static const char *const shortages[] = {
        "accept:1:EMFILE",
        "accept:1:ENFILE",
        "accept:1:ENOBUFS",
        "accept:1:ENOMEM",
};

START_TEST(out_of_descriptors)
{
	char c;
	dial(3);
	ck_assert(fault_plan(shortages[_i]));
	UNTIL(count(&w->counters.shed) == 3);
	ck_assert_uint_eq(got_n, 0);
	ck_assert_uint_eq(log_lines("descriptors_exhausted"), 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(recv(mine[i], &c, 1, 0), 0);
	ck_assert_int_ge(w->priv->scarcity.spare_fd, 0);
	/* The watch rests; time alone wakes it. */
	dial(1);
	uint64_t now = w->now_ms;
	worker_set_time(w, now);
	worker_turn(w, 0);
	ck_assert_uint_eq(got_n, 0);
	worker_set_time(w, now + 101);
	UNTIL(got_n == 1);
	ck_assert_uint_eq(log_lines("descriptors_available"), 0);
	worker_set_time(w, now + 10000);
	worker_turn(w, 0);
	ck_assert_uint_eq(log_lines("descriptors_available worker=0 shed=3"), 1);
	ck_assert_uint_eq(log_lines("descriptors"), 2);
}
END_TEST

START_TEST(a_shortage_that_comes_and_goes_logs_little)
{
	uint64_t now = w->now_ms;
	for (unsigned i = 0; i < 300; i++) { /* a minute in steps of 0.2 s */
		worker_set_time(w, now + i * 200);
		dial(1);
		ck_assert(fault_plan(i % 8 ? NULL : "accept:1:EMFILE"));
		worker_turn(w, 0);
		worker_turn(w, 0);
		close(mine[--mine_n]);
		while (got_n > 0)
			close(got[--got_n]);
	}
	ck_assert_uint_ge(log_lines("descriptors_exhausted"), 1);
	ck_assert_uint_le(log_lines("descriptors"), 20);
}
END_TEST

/* With the real limit. Runs in a child of its own even when Check does not fork. */
static int exhaust(void)
{
	struct rlimit r;
	char c;
	int fd, last = -1;
	dial(6);
	while ((fd = dup(0)) >= 0 && fd < 300)
		last = fd;
	close(last); /* one is free */
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = (rlim_t)last + 1;
	setrlimit(RLIMIT_NOFILE, &r);
	uint64_t until = clock_ms() + 20000;
	while (count(&w->counters.shed) < 5 && clock_ms() < until)
		worker_turn(w, 100);
	if (got_n != 1 || count(&w->counters.shed) != 5)
		return 1;
	/* The first was taken, the others were closed, and the one goes on. */
	if (recv(mine[5], &c, 1, 0) != 0 || send(got[0], "x", 1, 0) != 1 ||
	        recv(mine[0], &c, 1, 0) != 1)
		return 2;
	/* Recovers when one is free again; and bears a limit below what is in use. */
	r.rlim_cur = 5;
	setrlimit(RLIMIT_NOFILE, &r);
	for (int i = 0; i < 3; i++)
		worker_turn(w, 150);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	dial(1);
	while (got_n < 2 && clock_ms() < until)
		worker_turn(w, 100);
	return got_n == 2 && log_lines("descriptors_exhausted") == 1 ? 0 : 3;
}

START_TEST(out_of_descriptors_for_real)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		_exit(exhaust());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(without_a_spare_descriptor)
{
	sys_close(w->priv->scarcity.spare_fd);
	w->priv->scarcity.spare_fd = -1;
	dial(1);
	ck_assert(fault_plan("accept:1:EMFILE,open:1:EMFILE"));
	UNTIL(got_n == 1);
	ck_assert_uint_eq(count(&w->counters.shed), 0);
}
END_TEST

START_TEST(a_socket_that_cannot_accept_does_not_spin)
{
	dial(1);
	ck_assert(fault_plan("accept:1:EINVAL"));
	UNTIL(got_n == 1);
	ck_assert_uint_eq(log_lines("accept_failed"), 1);
	ck_assert_uint_eq(count(&w->counters.accept_errors), 1);
}
END_TEST

START_TEST(stopped_inside_the_callback)
{
	stop_in_fn = true;
	dial(2);
	UNTIL(got_n == 1);
	worker_turn(w, 0);
	worker_turn(w, 0);
	ck_assert_uint_eq(got_n, 1);
	watch_stop(NULL);
}
END_TEST

START_TEST(stopped_while_resting)
{
	dial(1);
	ck_assert(fault_plan("accept:1:EMFILE"));
	UNTIL(count(&w->counters.shed) == 1);
	watch_stop(watch);
	watch = NULL;
	worker_turn(w, 150);
	dial(1);
	worker_turn(w, 0);
	ck_assert_uint_eq(got_n, 0);
}
END_TEST

START_TEST(two_workers_watch_one_unix_socket)
{
	char text[80];
	struct listener *tcp = l;
	struct worker *other = worker_new(1);
	watch_stop(watch);
	snprintf(text, sizeof(text), "unix:/tmp/net_watch.%d.sock", (int)getpid());
	open_at(text);
	struct watch *second = listener_watch(l, other, on_accept, &got_n);
	dial(1);
	UNTIL(got_n == 1);
	worker_turn(other, 0); /* finds nothing, harmlessly */
	ck_assert_uint_eq(count(&other->counters.accept_errors), 0);
	ck_assert_int_eq(peer.sa.sa_family, AF_UNIX);
	watch_stop(second);
	worker_turn(other, 0);
	worker_free(other);
	listener_close(tcp);
}
END_TEST

static unsigned finished;

static void on_finished(void *arg)
{
	ck_assert_ptr_eq(arg, &got_n);
	finished++;
	watch = NULL;
}

/* What waits is accepted before the end is told, however much it is; what comes later is not. */
START_TEST(finished_after_what_waits)
{
	finished = 0;
	dial(MANY);
	watch_finish(watch, on_finished);
	ck_assert_uint_le(got_n, 64);
	UNTIL(finished == 1);
	ck_assert_uint_eq(got_n, MANY);
	listener_close_own(l, 0);
	worker_turn(w, 0);
	const struct address *a = listener_address(l);
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, &a->sa, a->len), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	close(fd);
}
END_TEST

START_TEST(finished_at_once_when_nothing_waits)
{
	finished = 0;
	watch_finish(watch, on_finished);
	ck_assert_uint_eq(finished, 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(got_n, 0);
}
END_TEST

/* Without descriptors those who wait are shed, and the end does not wait for better times; also
 * when the watch rested as it was told to end. */
START_TEST(finished_without_descriptors)
{
	finished = 0;
	dial(2);
	ck_assert(fault_plan("accept:1:EMFILE"));
	UNTIL(count(&w->counters.shed) == 2);
	dial(3);
	ck_assert(fault_plan("accept:2:EMFILE"));
	watch_finish(watch, on_finished);
	ck_assert_uint_eq(finished, 1);
	ck_assert_uint_eq(got_n, 1);
	ck_assert_uint_eq(count(&w->counters.shed), 4);
}
END_TEST

START_TEST(stopped_while_finishing)
{
	finished = 0;
	dial(MANY);
	watch_finish(watch, on_finished);
	watch_stop(watch);
	watch = NULL;
	worker_turn(w, 0);
	worker_turn(w, 0);
	ck_assert_uint_eq(finished, 0);
	ck_assert_uint_lt(got_n, MANY);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/watch");
	TCase *t = tcase_create("watch");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_accept_for_a_lone_connection);
	tcase_add_test(t, a_storm_takes_few_turns);
	tcase_add_loop_test(t, failures_of_single_connections_are_skipped, 0, 7);
	tcase_add_loop_test(t, out_of_descriptors, 0, 4);
	tcase_add_test(t, a_shortage_that_comes_and_goes_logs_little);
	tcase_add_test(t, out_of_descriptors_for_real);
	tcase_add_test(t, without_a_spare_descriptor);
	tcase_add_test(t, a_socket_that_cannot_accept_does_not_spin);
	tcase_add_test(t, stopped_inside_the_callback);
	tcase_add_test(t, stopped_while_resting);
	tcase_add_test(t, two_workers_watch_one_unix_socket);
	tcase_add_test(t, finished_after_what_waits);
	tcase_add_test(t, finished_at_once_when_nothing_waits);
	tcase_add_test(t, finished_without_descriptors);
	tcase_add_test(t, stopped_while_finishing);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
