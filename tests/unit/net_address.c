/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/address.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>

static const char *const bad[] = {
        "",
        ":",
        ":80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:1 ",
        "1.2.3.4:0x1",
        "1.2.3.4:123456",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "01.2.3.400:80",
        "localhost:80",
        "::1:80",
        "::1",
        "[::1]",
        "[::1]:",
        "[::1]80",
        "[::1:80",
        "[1.2.3.4]:80",
        "[::1%lo]:80",
        "[]:80",
        "[::g]:80",
        "unix:",
        "unix",
        "tcp:1.2.3.4:80",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:80",
        "1111111111111111111111111111111111111111111111111111111111111:80",
};

START_TEST(refuses)
{
	struct address a;
	/* An exact-size copy, so that a read behind the end is seen. */
	char *text = strdup(bad[_i]);
	ck_assert_msg(!address_parse(&a, text), "%s", text);
	ck_assert_int_eq(a.len, 0);
	free(text);
}
END_TEST

static const char *const good[] = {
        "0.0.0.0:0",
        "1.2.3.4:80",
        "255.255.255.255:65535",
        "[::]:443",
        "[::1]:80",
        "[2001:db8::1:2]:8080",
        "[::ffff:1.2.3.4]:1",
        "unix:/run/x.sock",
        "unix:relative",
};

START_TEST(reads_and_writes_the_same)
{
	struct address a, b;
	char text[ADDRESS_TEXT_MAX];
	ck_assert(address_parse(&a, good[_i]));
	ck_assert_str_eq(address_text(&a, text), good[_i]);
	ck_assert(address_parse(&b, text));
	ck_assert(address_equal(&a, &b));
}
END_TEST

START_TEST(unix_paths)
{
	struct address a;
	char text[256] = "unix:", out[ADDRESS_TEXT_MAX];
	memset(text + 5, 'p', 107);
	ck_assert(address_parse(&a, text));
	ck_assert_str_eq(address_text(&a, out), text);
	text[5 + 107] = 'p';
	ck_assert(!address_parse(&a, text));

	/* Names as the kernel gives them: none, without NUL, abstract. */
	memset(&a, 0, sizeof(a));
	a.un.sun_family = AF_UNIX;
	a.len = sizeof(sa_family_t);
	ck_assert_str_eq(address_text(&a, out), "unix:");
	memset(a.un.sun_path, 'q', sizeof(a.un.sun_path));
	a.len = sizeof(a.un);
	ck_assert_uint_eq(strlen(address_text(&a, out)), 5 + 108);
	a.un.sun_path[0] = '\0';
	ck_assert_uint_eq(strlen(address_text(&a, out)), 6 + 107);
	a.len = sizeof(sa_family_t) + 1;
	ck_assert_str_eq(address_text(&a, out), "unix:");
	a.len = 0;
	ck_assert_str_eq(address_text(&a, out), "none");
}
END_TEST

START_TEST(equality_and_ports)
{
	struct address a, b, none = {0};
	address_parse(&a, "1.2.3.4:80");
	address_parse(&b, "1.2.3.4:81");
	ck_assert(!address_equal(&a, &b));
	address_set_port(&b, 80);
	ck_assert(address_equal(&a, &b));
	ck_assert_uint_eq(address_port(&b), 80);
	address_parse(&b, "[::1]:80");
	ck_assert(!address_equal(&a, &b));
	ck_assert_uint_eq(address_port(&b), 80);
	address_set_port(&b, 0);
	ck_assert_uint_eq(address_port(&b), 0);
	address_parse(&a, "[::2]:0");
	ck_assert(!address_equal(&a, &b));
	address_parse(&a, "unix:/a");
	address_parse(&b, "unix:/b");
	ck_assert(!address_equal(&a, &b));
	address_set_port(&b, 5);
	ck_assert_uint_eq(address_port(&b), 0);
	ck_assert(!address_equal(&a, &none));
	ck_assert(!address_equal(&none, &a));
	ck_assert(address_equal(&none, &none));
	ck_assert_uint_eq(address_port(&none), 0);
}
END_TEST

START_TEST(briefs)
{
	static const struct {
		const char *full, *brief;
	} rows[] = {
	        {"1.2.3.4:80", "1.2.3.4:80"},
	        {"[2001:db8::7]:65535", "[2001:db8::7]:65535"},
	        {"unix:/x", "unix:"},
	};
	struct address a;
	struct address_brief b;
	char out[ADDRESS_TEXT_MAX];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		address_parse(&a, rows[i].full);
		address_brief(&b, &a);
		ck_assert_str_eq(address_brief_text(&b, out), rows[i].brief);
	}
	memset(&a, 0, sizeof(a));
	address_brief(&b, &a);
	ck_assert_str_eq(address_brief_text(&b, out), "none");
}
END_TEST

/* Each byte as the C library writes it. */
START_TEST(ips_are_written_as_inet_ntop_does)
{
	char out[ADDRESS_TEXT_MAX], want[ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < 4 * 256; i++) {
		struct address_brief b = {.family = AF_INET, .ip = {255, 0, 10, 100}};
		b.ip[i / 256] = (uint8_t)i;
		inet_ntop(AF_INET, b.ip, want, sizeof(want));
		ck_assert_str_eq(address_brief_ip(&b, out), want);
	}
	struct address_brief six = {.family = AF_INET6, .ip = {0x20, 1, [15] = 7}};
	ck_assert_str_eq(address_brief_ip(&six, out), "2001::7");
	struct address_brief other = {.family = AF_UNIX};
	ck_assert_str_eq(address_brief_ip(&other, out), "unix:");
	other.family = 0;
	ck_assert_str_eq(address_brief_ip(&other, out), "none");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/address");
	TCase *t = tcase_create("address");
	tcase_add_loop_test(t, refuses, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_loop_test(t, reads_and_writes_the_same, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_test(t, unix_paths);
	tcase_add_test(t, equality_and_ports);
	tcase_add_test(t, briefs);
	tcase_add_test(t, ips_are_written_as_inet_ntop_does);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
