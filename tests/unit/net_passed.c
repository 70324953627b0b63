/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that were passed, in a child for each test: descriptors from 3 on belong to it. */
#include "base/mem.h"
#include "net/listener.h"
#include "net/passed.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char why[160];

#define WANT(condition)                                                              \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "%d: %s (%s)\n", __LINE__, #condition, why); \
			_exit(1);                                                    \
		}                                                                    \
	} while (0)

/* Where a sanitizer keeps its own descriptors is none of our business. */
static void run(void (*child)(void))
{
	int status;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		for (int fd = 3; fd < 10; fd++)
			close(fd);
		unsetenv("LISTEN_FDNAMES");
		child();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

static bool init(const char *pid, const char *fds, const char *names)
{
	char ours[20];
	snprintf(ours, sizeof(ours), "%d", (int)getpid());
	setenv("LISTEN_PID", pid ? pid : ours, 1);
	setenv("LISTEN_FDS", fds, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	bool good = passed_init(why);
	WANT(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
	return good;
}

/* A socket that listens on the loopback, as descriptor fd. */
static void listen_as(int fd, int family)
{
	struct address a;
	WANT(address_parse(&a, family == AF_INET ? "127.0.0.1:0" : "[::1]:0"));
	int made = socket(family, SOCK_STREAM, 0);
	WANT(made == fd);
	WANT(bind(made, &a.sa, a.len) == 0 && listen(made, 5) == 0);
}

static void named(void)
{
	listen_as(3, AF_INET);
	listen_as(4, AF_INET6);
	listen_as(5, AF_INET);
	WANT(init(NULL, "3", "web:admin:web"));
	WANT(passed_n() == 3);
	WANT(strcmp(passed_name(1), "admin") == 0 && passed_fd(1) == 4);
	WANT(passed_count("web") == 2 && passed_count("admin") == 1 && passed_count("we") == 0);
	WANT(passed_find("web", 0) == 3 && passed_find("web", 1) == 5);
	WANT(passed_find("web", 2) == -1 && passed_find("nothing", 0) == -1);
	for (int fd = 3; fd < 6; fd++)
		WANT(fcntl(fd, F_GETFD) == FD_CLOEXEC);
}

static void nameless(void)
{
	listen_as(3, AF_INET);
	listen_as(4, AF_INET);
	listen_as(5, AF_INET);
	WANT(init(NULL, "2", NULL) && passed_count("unknown") == 2);
	WANT(init(NULL, "3", "a") && passed_count("a") == 1 && passed_count("unknown") == 2);
	WANT(init(NULL, "3", ":b:") && passed_count("b") == 1 && passed_count("unknown") == 2);
	WANT(init(NULL, "0", "a") && passed_n() == 0);
}

/* Of a parent that was started so and did not clear its environment. */
static void for_another(void)
{
	listen_as(3, AF_INET);
	WANT(init("1", "1", "web") && passed_n() == 0);
	WANT(init("", "1", "web") && passed_n() == 0);
	WANT(passed_init(why) && passed_n() == 0);
}

static void senseless(void)
{
	static const char *const bad[] = {
	        "", "x", "1x", "-1", "+1", " 1", "257", "99999999999999999999"};
	listen_as(3, AF_INET);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		WANT(!init(NULL, bad[i], "web"));
		WANT(strncmp(why, "LISTEN_FDS = ", 13) == 0);
	}
	WANT(!init(NULL, "2", "web"));
	WANT(strcmp(why, "LISTEN_FDS = 2: descriptor 4 is not open") == 0);
}

static void as_listener(void)
{
	struct listener_settings s = {.passed = "web", .owner = (uid_t)-1, .group = (gid_t)-1};
	listen_as(3, AF_INET);
	listen_as(4, AF_INET6);
	WANT(init(NULL, "2", "web:web"));
	for (unsigned round = 0; round < 3; round++) {
		struct listener *l = listener_open(&s, 4, why);
		WANT(l);
		/* One, watched by all, that does not block; what was passed stays. */
		WANT(listener_fd(l, 0) == listener_fd(l, 3) && listener_fd(l, 0) > 4);
		WANT(fcntl(listener_fd(l, 0), F_GETFL) & O_NONBLOCK);
		WANT(fcntl(listener_fd(l, 0), F_GETFD) == FD_CLOEXEC);
		WANT(address_port(listener_address(l)) != 0);
		WANT(listener_address(l)->sa.sa_family == AF_INET);
		int client = socket(AF_INET, SOCK_STREAM, 0);
		const struct address *a = listener_address(l);
		WANT(connect(client, &a->sa, a->len) == 0);
		int got = accept(listener_fd(l, 0), NULL, NULL);
		WANT(got >= 0);
		close(got);
		close(client);
		listener_close(l);
		WANT(fcntl(3, F_GETFD) >= 0);
	}
	s.passed_number = 1;
	struct listener *l = listener_open(&s, 4, why);
	WANT(l && listener_address(l)->sa.sa_family == AF_INET6);
	listener_close(l);
	s.passed_number = 2;
	WANT(!listener_open(&s, 4, why));
	WANT(strcmp(why, "no socket of that name was passed to this process") == 0);
}

static void refuse_as_listener(const char *name, const char *words)
{
	struct listener_settings s = {.passed = name};
	why[0] = '\0';
	WANT(!listener_open(&s, 2, why));
	WANT(strstr(why, words));
}

static void no_listeners(void)
{
	int pair[2];
	WANT(socket(AF_INET, SOCK_STREAM, 0) == 3);
	WANT(socket(AF_INET, SOCK_DGRAM, 0) == 4);
	WANT(open("/dev/null", O_RDONLY) == 5);
	WANT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == 6 && pair[1] == 7);
	WANT(init(NULL, "5", "idle:datagram:file:pair:pair"));
	refuse_as_listener("idle", "no listening stream socket");
	refuse_as_listener("datagram", "no listening stream socket");
	refuse_as_listener("file", "Socket operation on non-socket");
	refuse_as_listener("pair", "no listening stream socket");
}

/* The file of a unix socket is its maker's. */
static void unix_file(void)
{
	struct listener_settings s = {.passed = "u", .owner = (uid_t)-1, .group = (gid_t)-1};
	char path[] = "/tmp/net_passed.XXXXXX", name[80];
	struct address a;
	struct stat st;
	WANT(mkdtemp(path));
	snprintf(name, sizeof(name), "unix:%s/s", path);
	WANT(address_parse(&a, name));
	WANT(socket(AF_UNIX, SOCK_STREAM, 0) == 3);
	WANT(bind(3, &a.sa, a.len) == 0 && listen(3, 5) == 0);
	WANT(init(NULL, "1", "u"));
	struct listener *l = listener_open(&s, 2, why);
	WANT(l && strcmp(listener_address(l)->un.sun_path, a.un.sun_path) == 0);
	listener_close(l);
	WANT(stat(a.un.sun_path, &st) == 0);
	unlink(a.un.sun_path);
	rmdir(path);
}

static void (*const children[])(void) = {
        named, nameless, for_another, senseless, as_listener, no_listeners, unix_file};

START_TEST(in_a_child)
{
	run(children[_i]);
}
END_TEST

START_TEST(names)
{
	char longest[257];
	memset(longest, 'a', 256);
	longest[256] = '\0';
	ck_assert(!passed_is_name(longest));
	longest[255] = '\0';
	ck_assert(passed_is_name(longest));
	ck_assert(passed_is_name("a") && passed_is_name("moongate.socket"));
	ck_assert(!passed_is_name("") && !passed_is_name("a b") && !passed_is_name("a:b"));
	ck_assert(!passed_is_name("\xc3\xa4") && !passed_is_name("a\x7f"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/passed");
	TCase *t = tcase_create("passed");
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, in_a_child, 0, sizeof(children) / sizeof(children[0]));
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
