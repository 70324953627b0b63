/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service manager hears, byte by byte. */
#include "daemon/notify.h"

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char why[160], dir[40], name[200];
static int manager = -1;

static void setup(void)
{
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	unsetenv("NOTIFY_SOCKET");
	strcpy(dir, "/tmp/daemon_notify.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char path[100];
	notify_fini();
	if (manager >= 0)
		close(manager);
	manager = -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	unlink(path);
	rmdir(dir);
}

/* A manager that listens at a path, or in the kernel's name space, as NOTIFY_SOCKET says. */
static void listens(bool is_abstract)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(name, sizeof(name), "%s%s/s", is_abstract ? "@" : "", dir);
	memcpy(a.sun_path, name, strlen(name));
	if (is_abstract)
		a.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ge(manager, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&a, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *heard(void)
{
	static char text[2000];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n < 0)
		return "";
	text[n] = '\0';
	return text;
}

START_TEST(everything_that_is_said)
{
	char want[100];
	unsigned long long usec;
	listens(_i);
	ck_assert_msg(notify_init(why), "%s", why);
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_uint_eq(notify_watchdog_us(), 0);
	notify_ready("serving with %d workers", 2);
	snprintf(want, sizeof(want), "READY=1\nMAINPID=%d\nSTATUS=serving with 2 workers",
	        (int)getpid());
	ck_assert_str_eq(heard(), want);
	notify_reloading();
	ck_assert_int_eq(
	        sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading", &usec), 1);
	notify_status("a.conf:3: [route r] echo = %s\nREADY=1", "x\r");
	ck_assert_str_eq(heard(), "STATUS=a.conf:3: [route r] echo = x  READY=1");
	notify_alive();
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	notify_stopping(20000, "%d left", 7);
	ck_assert_str_eq(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=20000000\nSTATUS=7 left");
	notify_stopping(20000, "%d left", 1);
	ck_assert_str_eq(heard(), "EXTEND_TIMEOUT_USEC=20000000\nSTATUS=1 left");
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(long_status_is_cut)
{
	static char text[3000];
	listens(false);
	ck_assert(notify_init(why));
	memset(text, 'x', sizeof(text) - 1);
	notify_status("%s", text);
	ck_assert_uint_eq(strlen(heard()), 7 + 599);
}
END_TEST

START_TEST(nobody_listens)
{
	ck_assert(notify_init(why));
	notify_ready("x");
	notify_alive();
	notify_stopping(1, "x");
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert(notify_init(why));
	/* One that went away is no reason to stop. */
	listens(false);
	ck_assert(notify_init(why));
	close(manager);
	manager = -1;
	notify_ready("x");
	notify_alive();
}
END_TEST

/* A manager that reads nothing for a while holds nothing up for long; the watchdog's words are
 * never waited with. */
START_TEST(full_queue)
{
	listens(false);
	ck_assert(notify_init(why));
	for (int i = 0; i < 5000; i++)
		notify_alive();
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	while (heard()[0])
		continue;
	notify_ready("x");
	ck_assert_int_eq(strncmp(heard(), "READY=1\n", 8), 0);
}
END_TEST

START_TEST(watchdog)
{
	char text[30];
	listens(false);
	setenv("WATCHDOG_USEC", "30000000", 1);
	ck_assert(notify_init(why));
	ck_assert_uint_eq(notify_watchdog_us(), 30000000);
	notify_fini();
	ck_assert_uint_eq(notify_watchdog_us(), 0);
	/* Asked of another process. */
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert(notify_init(why));
	ck_assert_uint_eq(notify_watchdog_us(), 0);
	notify_fini();
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "1", 1);
	setenv("WATCHDOG_PID", text, 1);
	ck_assert(notify_init(why));
	ck_assert_uint_eq(notify_watchdog_us(), 1);
}
END_TEST

static const struct {
	const char *variable, *value;
} wrong[] = {
        {"NOTIFY_SOCKET", "x"},
        {"NOTIFY_SOCKET", "/"},
        {"NOTIFY_SOCKET", "@"},
        {"NOTIFY_SOCKET", "vsock:2:1"},
        {"WATCHDOG_USEC", "0"},
        {"WATCHDOG_USEC", ""},
        {"WATCHDOG_USEC", "1s"},
        {"WATCHDOG_USEC", "-1"},
        {"WATCHDOG_USEC", "99999999999999999999999"},
        {"WATCHDOG_PID", "me"},
};

START_TEST(what_makes_no_sense_is_refused)
{
	char long_name[200];
	listens(false);
	setenv("WATCHDOG_USEC", "1000", 1);
	setenv(wrong[_i].variable, wrong[_i].value, 1);
	ck_assert(!notify_init(why));
	ck_assert_msg(strstr(why, wrong[_i].variable) && strstr(why, wrong[_i].value), "%s", why);
	ck_assert_ptr_null(getenv(wrong[_i].variable));
	memset(long_name, '/', sizeof(long_name));
	long_name[108] = '\0';
	setenv("NOTIFY_SOCKET", long_name, 1);
	ck_assert(!notify_init(why));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon/notify");
	TCase *t = tcase_create("notify");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, everything_that_is_said, 0, 2);
	tcase_add_test(t, long_status_is_cut);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, full_queue);
	tcase_add_test(t, watchdog);
	tcase_add_loop_test(t, what_makes_no_sense_is_refused, 0, sizeof(wrong) / sizeof(wrong[0]));
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
