/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "net/listener.h"
#include "net/sys.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/net_listener.XXXXXX";
static char path[64], why[160];
static unsigned descriptors_before;

static unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void setup(void)
{
	strcpy(dir, "/tmp/net_listener.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	descriptors_before = descriptors();
	why[0] = '\0';
}

static void teardown(void)
{
	fault_plan(NULL);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_uint_eq(descriptors(), descriptors_before);
}

static struct listener_settings settings(const char *address)
{
	struct listener_settings s = {.backlog = 16, .owner = (uid_t)-1, .group = (gid_t)-1};
	ck_assert_msg(address_parse(&s.address, address), "%s", address);
	return s;
}

static struct listener_settings unix_settings(void)
{
	char text[80];
	snprintf(text, sizeof(text), "unix:%s", path);
	return settings(text);
}

static int connect_to(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM, 0);
	ck_assert_int_ge(fd, 0);
	if (connect(fd, &a->sa, a->len) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int accept_any(const struct listener *l, unsigned workers)
{
	struct pollfd p[8];
	for (unsigned i = 0; i < workers; i++)
		p[i] = (struct pollfd){.fd = listener_fd(l, i), .events = POLLIN};
	ck_assert_int_gt(poll(p, workers, 20000), 0);
	for (unsigned i = 0; i < workers; i++)
		if (p[i].revents)
			return sys_accept(p[i].fd, NULL, NULL);
	return -1;
}

START_TEST(tcp)
{
	struct listener_settings s = settings(_i ? "[::1]:0" : "127.0.0.1:0");
	struct listener *l = listener_open(&s, 3, why);
	ck_assert_msg(l != NULL, "%s", why);
	const struct address *a = listener_address(l);
	ck_assert_uint_ne(address_port(a), 0);
	ck_assert_int_ne(listener_fd(l, 0), listener_fd(l, 2));
	ck_assert_int_eq(listener_fd(l, 0), listener_fd(l, 3));
	for (int i = 0; i < 20; i++) {
		int fd = connect_to(a);
		ck_assert_int_ge(fd, 0);
		int got = accept_any(l, 3);
		ck_assert_int_ge(got, 0);
		close(got);
		close(fd);
	}
	/* A second daemon is refused, though ours share the port. */
	s.address = *a;
	ck_assert_ptr_null(listener_open(&s, 3, why));
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(why, "bind: Address already in use");
	struct address copy = *a;
	listener_close(l);
	ck_assert_int_eq(connect_to(&copy), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	/* And afterwards, whatever is in TIME_WAIT, the port is free again. */
	l = listener_open(&s, 1, why);
	ck_assert_msg(l != NULL, "%s", why);
	listener_close(l);
	listener_close(NULL);
}
END_TEST

START_TEST(both_families_on_one_port)
{
	struct listener_settings s6 = settings("[::]:0"), s4 = settings("0.0.0.0:0");
	struct listener *l6 = listener_open(&s6, 2, why);
	ck_assert_msg(l6 != NULL, "%s", why);
	address_set_port(&s4.address, address_port(listener_address(l6)));
	struct listener *l4 = listener_open(&s4, 2, why);
	ck_assert_msg(l4 != NULL, "%s", why);
	listener_close(l4);
	listener_close(l6);
}
END_TEST

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(accepted_sockets_inherit_the_options)
{
	struct listener_settings s = settings(_i ? "[::1]:0" : "127.0.0.1:0");
	s.socket = (struct socket_options){.send_buffer = 50000,
	        .receive_buffer = 40000,
	        .keepalive_ms = 30000,
	        .user_timeout_ms = 30000};
	struct listener *l = listener_open(&s, 1, why);
	ck_assert_msg(l != NULL, "%s", why);
	int fd = connect_to(listener_address(l)), got = accept_any(l, 1);
	ck_assert_int_ne(option(got, IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_ne(option(got, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option(got, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	ck_assert_int_eq(option(got, IPPROTO_TCP, TCP_KEEPINTVL), 10);
	ck_assert_int_eq(option(got, IPPROTO_TCP, TCP_KEEPCNT), 3);
	ck_assert_int_eq(option(got, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
	ck_assert_int_eq(option(got, SOL_SOCKET, SO_SNDBUF), 2 * 50000);
	ck_assert_int_eq(option(got, SOL_SOCKET, SO_RCVBUF), 2 * 40000);
	close(fd);
	close(got);
	listener_close(l);
}
END_TEST

static const char *const plans[] = {
        "socket:1:EMFILE",
        "socket:2:ENFILE",
        "bind:1:EACCES",
        "bind:2:EADDRINUSE",
        "bind:3:EADDRINUSE",
        "listen:1:EADDRINUSE",
        "listen:2:ENOBUFS",
        "setsockopt:1:ENOPROTOOPT",
        "setsockopt:3:ENOPROTOOPT",
};

START_TEST(tcp_that_fails)
{
	struct listener_settings s = settings("127.0.0.1:0");
	ck_assert(fault_plan(plans[_i]));
	errno = 0;
	ck_assert_ptr_null(listener_open(&s, 2, why));
	ck_assert(strstr(why, strerror(errno)) != NULL);
}
END_TEST

START_TEST(address_not_ours)
{
	struct listener_settings s = settings("127.0.0.1:0");
	address_parse(&s.address, "[2001:db8::1]:0");
	ck_assert_ptr_null(listener_open(&s, 1, why));
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	ck_assert_str_eq(why, "bind: Cannot assign requested address");
}
END_TEST

START_TEST(unix_socket)
{
	struct listener_settings s = unix_settings();
	struct stat st;
	s.mode = 0620;
	s.owner = getuid();
	s.group = getgid();
	mode_t mask = umask(0077);
	struct listener *l = listener_open(&s, 4, why);
	umask(mask);
	ck_assert_msg(l != NULL, "%s", why);
	ck_assert_int_eq(listener_fd(l, 0), listener_fd(l, 3));
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0620);
	int fd = connect_to(listener_address(l));
	int got = accept_any(l, 1);
	ck_assert_int_ge(got, 0);
	close(got);
	close(fd);
	/* A second daemon leaves the first unharmed. */
	ck_assert_ptr_null(listener_open(&s, 4, why));
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(why, "bind: Address already in use");
	fd = connect_to(listener_address(l));
	ck_assert_int_ge(fd, 0);
	close(fd);
	listener_close(l);
	ck_assert_int_eq(lstat(path, &st), -1);
}
END_TEST

START_TEST(a_full_backlog_is_in_use)
{
	struct listener_settings s = unix_settings();
	int fd[64], n = 0;
	s.backlog = 0;
	struct listener *l = listener_open(&s, 1, why);
	ck_assert_msg(l != NULL, "%s", why);
	while (n < 64) {
		fd[n] = sys_socket(AF_UNIX, SOCK_STREAM);
		if (sys_connect(fd[n++], &s.address.sa, s.address.len) < 0)
			break;
	}
	ck_assert_int_lt(n, 64);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_ptr_null(listener_open(&s, 1, why));
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(why, "bind: Address already in use");
	while (n > 0)
		close(fd[--n]);
	listener_close(l);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
	struct listener_settings s = unix_settings();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, &s.address.sa, s.address.len), 0);
	close(fd);
	struct listener *l = listener_open(&s, 1, why);
	ck_assert_msg(l != NULL, "%s", why);
	listener_close(l);
}
END_TEST

START_TEST(what_is_no_stale_socket_stays)
{
	struct listener_settings s = unix_settings();
	struct stat st;
	int fd = -1;
	if (_i == 0) {
		close(open(path, O_CREAT | O_WRONLY, 0600));
	} else if (_i == 1) {
		ck_assert_int_eq(symlink("/nowhere/at/all", path), 0);
	} else {
		/* Somebody else's, of another kind. */
		fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		ck_assert_int_eq(bind(fd, &s.address.sa, s.address.len), 0);
	}
	ck_assert_ptr_null(listener_open(&s, 1, why));
	ck_assert_int_eq(errno, _i < 2 ? EEXIST : EPROTOTYPE);
	if (_i < 2)
		ck_assert_str_eq(why, "the file exists and is no socket");
	ck_assert_int_eq(lstat(path, &st), 0);
	if (fd >= 0)
		close(fd);
}
END_TEST

START_TEST(the_file_of_a_successor_stays)
{
	struct listener_settings s = unix_settings();
	struct stat st;
	struct listener *l = listener_open(&s, 1, why);
	ck_assert_int_eq(unlink(path), 0);
	/* Something else between, so that the inode is not used again. */
	struct listener *next = listener_open(&s, 1, why);
	ck_assert_msg(next != NULL, "%s", why);
	listener_close(l);
	ck_assert_int_eq(lstat(path, &st), 0);
	int fd = connect_to(listener_address(next));
	ck_assert_int_ge(fd, 0);
	close(fd);
	listener_close(next);
}
END_TEST

static const char *const unix_plans[] = {
        "socket:1:EMFILE",
        "bind:1:EACCES",
        "listen:1:EADDRINUSE",
};

START_TEST(unix_that_fails)
{
	struct listener_settings s = unix_settings();
	struct stat st;
	ck_assert(fault_plan(unix_plans[_i]));
	ck_assert_ptr_null(listener_open(&s, 1, why));
	ck_assert_int_eq(lstat(path, &st), -1);
	fault_plan(NULL);
	address_parse(&s.address, "unix:/nowhere/at/all/s");
	ck_assert_ptr_null(listener_open(&s, 1, why));
	ck_assert_str_eq(why, "bind: No such file or directory");
}
END_TEST

static int option_of(const struct listener *l, unsigned worker, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	ck_assert_int_eq(getsockopt(listener_fd(l, worker), level, name, &value, &len), 0);
	return value;
}

/* Settings of sockets that stay; what is not set any more is as it was. */
START_TEST(options_change_in_place)
{
	struct listener_settings s = settings("127.0.0.1:0"), other;
	struct listener *l = listener_open(&s, 2, why);
	ck_assert_msg(l != NULL, "%s", why);
	int send = option_of(l, 1, SOL_SOCKET, SO_SNDBUF),
	    receive = option_of(l, 1, SOL_SOCKET, SO_RCVBUF);
	other = s;
	other.backlog = 3;
	other.socket = (struct socket_options){.send_buffer = 16384,
	        .receive_buffer = 32768,
	        .keepalive_ms = 30000,
	        .user_timeout_ms = 5000};
	ck_assert(listener_change(l, &other, why));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_SNDBUF), 32768);
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_RCVBUF), 65536);
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_KEEPALIVE), 1);
		ck_assert_int_eq(option_of(l, i, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_ACCEPTCONN), 1);
	}
	ck_assert(listener_change(l, &s, why));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_SNDBUF), send);
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_RCVBUF), receive);
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_BUF_LOCK), 0);
		ck_assert_int_eq(option_of(l, i, SOL_SOCKET, SO_KEEPALIVE), 0);
		ck_assert_int_eq(option_of(l, i, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	}
	listener_close(l);
}
END_TEST

static unsigned mode_of(const char *file)
{
	struct stat st;
	ck_assert_int_eq(lstat(file, &st), 0);
	return st.st_mode & 07777;
}

START_TEST(access_changes_in_place)
{
	struct listener_settings s = unix_settings(), other = s;
	struct listener *l = listener_open(&s, 2, why);
	ck_assert_msg(l != NULL, "%s", why);
	unsigned first = mode_of(path);
	other.mode = 0600;
	ck_assert(listener_change(l, &other, why));
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert(listener_change(l, &s, why));
	ck_assert_uint_eq(mode_of(path), first);
	ck_assert(listener_has_file(l));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!listener_has_file(l));
	ck_assert(!listener_change(l, &other, why));
	ck_assert_int_eq(errno, ENOENT);
	listener_close(l);
}
END_TEST

/* The socket stays for who waits there already. */
START_TEST(the_file_goes_first)
{
	struct listener_settings s = unix_settings();
	struct listener *l = listener_open(&s, 1, why);
	ck_assert_msg(l != NULL, "%s", why);
	int fd = connect_to(listener_address(l));
	listener_unlink(l);
	ck_assert_int_eq(access(path, F_OK), -1);
	listener_close_own(l, 0); /* not a worker's own */
	int got = accept_any(l, 1);
	ck_assert_int_ge(got, 0);
	close(got);
	close(fd);
	listener_close(l);
}
END_TEST

/* Another address that meets our own: the kernel has to let both be. */
START_TEST(beside_our_own)
{
	char text[32];
	struct listener_settings s = settings("127.0.0.1:0"), all;
	struct listener *l = listener_open(&s, 2, why), *both;
	ck_assert_msg(l != NULL, "%s", why);
	snprintf(text, sizeof(text), "0.0.0.0:%u", address_port(listener_address(l)));
	all = settings(text);
	ck_assert_ptr_null(listener_open(&all, 2, why));
	ck_assert_int_eq(errno, EADDRINUSE);
	all.is_beside_own = true;
	ck_assert(fault_plan("listen:2:EADDRINUSE"));
	ck_assert_ptr_null(listener_open(&all, 2, why));
	fault_plan(NULL);
	both = listener_open(&all, 2, why);
	ck_assert_msg(both != NULL, "%s", why);
	listener_close_own(l, 0);
	listener_close_own(l, 1);
	int fd = connect_to(listener_address(both));
	int got = accept_any(both, 2);
	ck_assert_int_ge(got, 0);
	close(got);
	close(fd);
	listener_close(l);
	listener_close(both);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/listener");
	TCase *t = tcase_create("listener");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, tcp, 0, 2);
	tcase_add_test(t, both_families_on_one_port);
	tcase_add_loop_test(t, accepted_sockets_inherit_the_options, 0, 2);
	tcase_add_loop_test(t, tcp_that_fails, 0, sizeof(plans) / sizeof(plans[0]));
	tcase_add_test(t, address_not_ours);
	tcase_add_test(t, unix_socket);
	tcase_add_test(t, a_full_backlog_is_in_use);
	tcase_add_test(t, a_stale_socket_is_replaced);
	tcase_add_loop_test(t, what_is_no_stale_socket_stays, 0, 3);
	tcase_add_test(t, the_file_of_a_successor_stays);
	tcase_add_loop_test(t, unix_that_fails, 0, 3);
	tcase_add_test(t, options_change_in_place);
	tcase_add_test(t, access_changes_in_place);
	tcase_add_test(t, the_file_goes_first);
	tcase_add_test(t, beside_our_own);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
