/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "net/sys.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int main(void)
{
	Suite *s = suite_create("net/sys");
	TCase *t = tcase_create("sys");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, descriptors_are_nonblocking_and_close_on_exec);
	tcase_add_test(t, no_signal_for_a_peer_that_is_gone);
	tcase_add_test(t, every_call_can_be_made_to_fail);
	tcase_add_test(t, short_and_interrupted_transfers);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
