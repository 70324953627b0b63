/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "net/sys.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Their watch over epoll is left alone: all calls go to the kernel as they come. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
        __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_WATCHED 1
#else
#define IS_WATCHED 0
#endif

static int a, b;

static void pair(void)
{
	int fd[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	a = fd[0];
	b = fd[1];
}

static void unpair(void)
{
	fault_plan(NULL);
	sys_close(a);
	sys_close(b);
}

static void is_clean(int fd)
{
	ck_assert_int_ge(fd, 0);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

START_TEST(descriptors_are_nonblocking_and_close_on_exec)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int l = sys_socket(AF_INET, SOCK_STREAM);
	is_clean(l);
	ck_assert_int_eq(sys_bind(l, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(sys_listen(l, 8), 0);
	ck_assert_int_eq(sys_accept(l, NULL, NULL), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&in, &len), 0);
	int c = sys_socket(AF_INET, SOCK_STREAM);
	int r = sys_connect(c, (struct sockaddr *)&in, sizeof(in));
	ck_assert(r == 0 || errno == EINPROGRESS);
	int s;
	do
		s = sys_accept(l, (struct sockaddr *)&in, &len);
	while (s < 0 && errno == EAGAIN);
	is_clean(s);
	ck_assert_int_eq(sys_socket_error(c), 0);
	int e = sys_eventfd();
	is_clean(e);
	int o = sys_open("/dev/null", O_RDONLY, 0);
	is_clean(o);
	sys_close(o);
	sys_close(e);

	/* A reset, not an end. */
	char buf[4];
	sys_close_reset(s);
	ssize_t n;
	do
		n = sys_recv(c, buf, sizeof(buf));
	while (n < 0 && errno == EAGAIN);
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, ECONNRESET);
	sys_close(c);
	sys_close(l);
}
END_TEST

START_TEST(no_signal_for_a_peer_that_is_gone)
{
	char x[] = "x";
	struct iovec v = {x, 1};
	pair();
	sys_close(b);
	ck_assert_int_eq(sys_send(a, "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(sys_writev(a, &v, 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	b = dup(a);
	unpair();
}
END_TEST

START_TEST(every_call_can_be_made_to_fail)
{
	struct sockaddr sa = {.sa_family = AF_UNIX};
	char xy[] = "xy";
	struct iovec v = {xy, 2};
	char buf[4];
	int value;
	socklen_t len = sizeof(sa);
	pair();
#define FAILS(name, error, call)                          \
	do {                                              \
		ck_assert(fault_plan(name ":1:" #error)); \
		errno = 0;                                \
		ck_assert_int_eq(call, -1);               \
		ck_assert_int_eq(errno, error);           \
	} while (0)
	FAILS("socket", EMFILE, sys_socket(AF_UNIX, SOCK_STREAM));
	FAILS("bind", EADDRINUSE, sys_bind(a, &sa, sizeof(sa)));
	FAILS("listen", EADDRINUSE, sys_listen(a, 1));
	FAILS("accept", EMFILE, sys_accept(a, NULL, NULL));
	FAILS("connect", ECONNREFUSED, sys_connect(a, &sa, sizeof(sa)));
	FAILS("recv", ECONNRESET, (int)sys_recv(a, buf, sizeof(buf)));
	FAILS("send", EPIPE, (int)sys_send(a, "x", 1));
	FAILS("writev", ECONNRESET, (int)sys_writev(a, &v, 1));
	FAILS("shutdown", ENOTCONN, sys_shutdown(a));
	FAILS("setsockopt", ENOMEM, sys_setsockopt(a, SOL_SOCKET, SO_SNDBUF, 4096));
	FAILS("open", EMFILE, sys_open("/dev/null", O_RDONLY, 0));
	FAILS("eventfd", EMFILE, sys_eventfd());
	FAILS("getsockopt", ENOBUFS, sys_getsockopt(a, SOL_SOCKET, SO_SNDBUF, &value));
	FAILS("getsockname", ENOBUFS, sys_getsockname(a, &sa, &len));
	FAILS("event_add", ENOSPC, sys_event_add(NULL));
	ck_assert(fault_plan("event_base:1:EMFILE,unsent:1:EBADF"));
	ck_assert_ptr_null(sys_event_base(NULL));
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(sys_send(a, "xy", 2), 2);
	ck_assert_uint_eq(sys_unsent(a), 0);
	ck_assert_uint_gt(sys_unsent(a), 0);
	ck_assert(fault_plan("socket_error:1:ETIMEDOUT"));
	ck_assert_int_eq(sys_socket_error(a), ETIMEDOUT);
	unpair();
}
END_TEST

START_TEST(short_and_interrupted_transfers)
{
	char abcd[] = "abcd";
	struct iovec v[3] = {{abcd, 0}, {abcd, 2}, {abcd + 2, 2}};
	char buf[8];
	pair();
	ck_assert(fault_plan("send:1:SHORT,writev:1:SHORT,recv:1:SHORT"));
	ck_assert_int_eq(sys_send(a, "xyz", 3), 1);
	ck_assert(sys_lied());
	ck_assert_int_eq(sys_writev(a, v, 3), 1);
	ck_assert(sys_lied());
	ck_assert_int_eq(sys_send(a, "tail", 4), 4);
	ck_assert(!sys_lied());
	ck_assert_int_eq(sys_recv(b, buf, 8), 1);
	ck_assert(sys_lied());
	ck_assert_int_eq(sys_recv(b, buf + 1, 7), 5);
	ck_assert(!sys_lied());
	ck_assert_mem_eq(buf, "xatail", 6);

	ck_assert(fault_plan("send:1:EINTR:3,writev:1:EINTR,recv:1:EINTR,recv:3:EAGAIN"));
	ck_assert_int_eq(sys_send(a, "xyz", 3), 3);
	ck_assert_int_eq(sys_writev(a, v, 3), 4);
	ck_assert_int_eq(sys_recv(b, buf, 8), 7);
	ck_assert_mem_eq(buf, "xyzabcd", 7);
	ck_assert_int_eq(sys_recv(b, buf, 8), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(sys_lied());
	ck_assert_int_eq(sys_recv(b, buf, 8), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(!sys_lied());

	ck_assert_int_eq(sys_shutdown(a), 0);
	ck_assert_int_eq(sys_recv(b, buf, 8), 0);
	unpair();
}
END_TEST

/* ---- epoll, whose functions are ours, as libevent calls them too ---- */

static int add(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static int take_out(int epoll, int fd)
{
	errno = 0;
	return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* As the kernel sees it. */
static bool holds(int epoll, int fd)
{
	char path[64], line[256];
	int tfd;
	bool found = false;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f))
		found |= sscanf(line, "tfd: %d", &tfd) == 1 && tfd == fd;
	fclose(f);
	return found;
}

/* One call for one descriptor is left to its close; that is taken out of every epoll then. */
START_TEST(a_close_takes_it_out_of_the_epolls)
{
	int ours = epoll_create1(EPOLL_CLOEXEC), others = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e = {.events = EPOLLIN};
	pair();
	ck_assert(add(ours, a) == 0 && add(ours, b) == 0 && add(others, a) == 0);
	sys_close_follows(a);
	ck_assert_int_eq(take_out(ours, a), 0);
	ck_assert(holds(ours, a) == !IS_WATCHED);
	ck_assert_int_eq(epoll_ctl(others, EPOLL_CTL_MOD, a, &e), 0);
	ck_assert_int_eq(take_out(ours, b), 0); /* all else is the kernel's */
	ck_assert(!holds(ours, b));
	ck_assert_int_eq(take_out(ours, b), -1);
	ck_assert_int_eq(errno, ENOENT);
	sys_close_follows(-1);
	sys_close(a);
	ck_assert(!holds(ours, a) && !holds(others, a));
	ck_assert_int_eq(epoll_wait(ours, &e, 1, 0), 0);
	a = dup(b); /* the same number: nothing is left of the one before */
	ck_assert_int_eq(add(ours, a), 0);
	ck_assert_int_eq(take_out(ours, a), 0);
	ck_assert_int_eq(take_out(ours, a), -1);
	close(ours);
	close(others);
	unpair();
}
END_TEST

static void *take_out_elsewhere(void *epoll)
{
	return (void *)(intptr_t)take_out(*(int *)epoll, a);
}

START_TEST(another_threads_calls_are_its_own)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	pthread_t thread;
	pair();
	ck_assert_int_eq(add(epoll, a), 0);
	sys_close_follows(a);
	ck_assert_int_eq(pthread_create(&thread, NULL, take_out_elsewhere, &epoll), 0);
	pthread_join(thread, NULL);
	sys_close_follows(-1);
	ck_assert(!holds(epoll, a));
	close(epoll);
	unpair();
}
END_TEST

static int epoll_of_libevent(void)
{
	char path[64], what[64];
	for (int fd = 0; fd < 1024; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, what, sizeof what);
		if (n > 0 && memmem(what, (size_t)n, "[eventpoll]", 11))
			return fd;
	}
	ck_abort_msg("libevent has no epoll");
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	++*(int *)arg;
}

/* libevent does call ours, whatever it was linked with. */
START_TEST(libevent_goes_through_it)
{
	enum { MANY = 4 * SYS_EVENTS_MAX }; /* it asks for more each time that it got all */
	struct event_base *base = event_base_new();
	struct event *event[MANY];
	int epoll = epoll_of_libevent(), served = 0, most = 0, fd = -1;
	pair();
	ck_assert_int_eq(sys_send(b, "x", 1), 1);
	for (int i = 0; i < MANY; i++) {
		fd = dup(a);
		event[i] = event_new(base, fd, EV_READ | EV_ET | EV_PERSIST, on_event, &served);
		ck_assert_int_eq(event_add(event[i], NULL), 0);
	}
	for (int before = 0; before < MANY; before = served) {
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		ck_assert_int_gt(served, before);
		most = served - before > most ? served - before : most;
	}
	ck_assert_int_eq(served, MANY);
	ck_assert(IS_WATCHED ? most > SYS_EVENTS_MAX : most == SYS_EVENTS_MAX);
	sys_close_follows(fd);
	ck_assert_int_eq(event_del(event[MANY - 1]), 0);
	sys_close_follows(-1);
	ck_assert(holds(epoll, fd) == !IS_WATCHED);
	for (int i = 0; i < MANY; i++) {
		int each = event_get_fd(event[i]);
		event_free(event[i]);
		if (i + 1 < MANY)
			ck_assert(!holds(epoll, each));
		sys_close(each);
	}
	event_base_free(base);
	unpair();
}
END_TEST

/* A child has what was closed here; last, for it is said once and for all. */
START_TEST(where_a_fork_may_be_the_kernel_is_asked)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event e;
	pair();
	int childs = dup(a);
	ck_assert_int_eq(add(epoll, a), 0);
	ck_assert_int_eq(sys_send(b, "x", 1), 1);
	sys_expect_forks();
	sys_close_follows(a);
	ck_assert_int_eq(take_out(epoll, a), 0);
	sys_close_follows(-1);
	sys_close(a);
	ck_assert_int_eq(epoll_wait(epoll, &e, 1, 0), 0);
	a = childs;
	close(epoll);
	unpair();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/sys");
	TCase *t = tcase_create("sys");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, descriptors_are_nonblocking_and_close_on_exec);
	tcase_add_test(t, no_signal_for_a_peer_that_is_gone);
	tcase_add_test(t, every_call_can_be_made_to_fail);
	tcase_add_test(t, short_and_interrupted_transfers);
	tcase_add_test(t, a_close_takes_it_out_of_the_epolls);
	tcase_add_test(t, another_threads_calls_are_its_own);
	tcase_add_test(t, libevent_goes_through_it);
	tcase_add_test(t, where_a_fork_may_be_the_kernel_is_asked);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
