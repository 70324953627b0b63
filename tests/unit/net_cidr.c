/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of addresses: what is one, and who is in it. */
#include "net/cidr.h"

#include <check.h>
#include <stdlib.h>

static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/8 ",
        "10.0.0.0/08x",
        "10.0.0.0/0008",
        "10.0.0.0/8/8",
        "10.0.0/8",
        "10",
        "10.0.0.1/8",
        "10.0.0.0/7x",
        "256.0.0.0/8",
        "::/129",
        "::1/127",
        "2001:db8::1/32",
        "[::1]",
        "::1%lo",
        "localhost",
        "unix",
        "unix:/x",
        " ::1",
        "::ffff:10.0.0.1/104",
        "0.0.0.1/0",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8",
};

START_TEST(refuses)
{
	struct cidr c = {.family = 77};
	ck_assert_msg(cidr_parse(&c, bad[_i]) != NULL, "%s", bad[_i]);
	ck_assert_uint_eq(c.family, 77);
}
END_TEST

static const struct {
	const char *block, *address;
	bool is_in;
} rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "9.255.255.255", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1/32", "192.0.2.0", false},
        {"192.0.2.128/25", "192.0.2.255", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
        {"::ffff:10.0.0.0/104", "::ffff:11.1.2.3", false},
        {"::ffff:0.0.0.0/96", "1.2.3.4", true},
        {"unix:", "10.0.0.1", false},
        {"unix:", "::1", false},
};

START_TEST(has)
{
	struct cidr c;
	struct address_brief a;
	ck_assert_ptr_null(cidr_parse(&c, rows[_i].block));
	ck_assert(address_brief_parse(&a, slice_str(rows[_i].address)));
	ck_assert_msg(
	        cidr_has(&c, &a) == rows[_i].is_in, "%s %s", rows[_i].block, rows[_i].address);
}
END_TEST

START_TEST(unix_peers_and_nobody)
{
	struct cidr c;
	struct address_brief a = {.family = AF_UNIX}, none = {.family = 0};
	ck_assert_ptr_null(cidr_parse(&c, "unix:"));
	ck_assert(cidr_has(&c, &a));
	ck_assert(!cidr_has(&c, &none));
	ck_assert_ptr_null(cidr_parse(&c, "0.0.0.0/0"));
	ck_assert(!cidr_has(&c, &a));
	ck_assert(!cidr_has(&c, &none));
}
END_TEST

START_TEST(lists)
{
	struct cidr_list l = {NULL, 0};
	struct cidr c;
	struct address_brief a;
	ck_assert(address_brief_parse(&a, SLICE("10.1.1.1")));
	ck_assert(!cidr_list_has(&l, &a));
	ck_assert_ptr_null(cidr_parse(&c, "::1"));
	cidr_list_add(&l, &c);
	ck_assert(!cidr_list_has(&l, &a));
	ck_assert_ptr_null(cidr_parse(&c, "10.0.0.0/8"));
	cidr_list_add(&l, &c);
	ck_assert(cidr_list_has(&l, &a));
	cidr_list_fini(&l);
	ck_assert(!cidr_list_has(&l, &a));
}
END_TEST

static const struct {
	const char *text, *ip;
	unsigned port;
} told[] = {
        {"192.0.2.1", "192.0.2.1", 0},
        {"192.0.2.1:65535", "192.0.2.1", 65535},
        {"2001:db8::1", "2001:db8::1", 0},
        {"[2001:db8::1]", "2001:db8::1", 0},
        {"[2001:db8::1]:80", "2001:db8::1", 80},
        {"1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888", 0},
        {"[1111:2222:3333:4444:5555:6666:255.255.255.255]:65535",
                "1111:2222:3333:4444:5555:6666:ffff:ffff", 65535},
};

START_TEST(told_addresses)
{
	struct address_brief a;
	char out[ADDRESS_TEXT_MAX];
	size_t len = strlen(told[_i].text);
	uint8_t *exact = malloc(len);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, told[_i].text, len);
	ck_assert(address_brief_parse(&a, slice_of(exact, len)));
	free(exact);
	ck_assert_str_eq(address_brief_ip(&a, out), told[_i].ip);
	ck_assert_uint_eq(a.port, told[_i].port);
}
END_TEST

static const char *const untold[] = {
        "",
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4:",
        "1.2.3.4:65536",
        "1.2.3.4:x",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4:80:80",
        "[1.2.3.4]",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[]",
        "[",
        ":",
        "::1]",
        "::1%lo",
        "1.2.3.4\n",
        "01.2.3.4.5",
        "localhost",
        "[1111:2222:3333:4444:5555:6666:255.255.255.255]:655350",
};

START_TEST(untold_addresses)
{
	struct address_brief a = {.family = 77};
	ck_assert_msg(!address_brief_parse(&a, slice_str(untold[_i])), "%s", untold[_i]);
	ck_assert_uint_eq(a.family, 77);
	ck_assert(!address_brief_parse(&a, slice_of("1.2.3.4\0", 8)));
}
END_TEST

START_TEST(unmapping)
{
	struct address_brief a, b;
	char out[ADDRESS_TEXT_MAX];
	ck_assert(address_brief_parse(&a, SLICE("[::ffff:192.0.2.1]:7")));
	ck_assert(address_brief_parse(&b, SLICE("192.0.2.1:7")));
	ck_assert(!address_brief_equal(&a, &b));
	address_brief_unmap(&a);
	ck_assert(address_brief_equal(&a, &b));
	ck_assert_str_eq(address_brief_ip(&a, out), "192.0.2.1");
	address_brief_unmap(&a);
	ck_assert(address_brief_equal(&a, &b));
	b.port = 8;
	ck_assert(!address_brief_equal(&a, &b));
	a = (struct address_brief){.family = AF_UNIX};
	ck_assert_str_eq(address_brief_ip(&a, out), "unix:");
	a.family = 0;
	ck_assert_str_eq(address_brief_ip(&a, out), "none");
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof(a[0]))

int main(void)
{
	Suite *s = suite_create("net/cidr");
	TCase *t = tcase_create("cidr");
	tcase_add_loop_test(t, refuses, 0, ROWS(bad));
	tcase_add_loop_test(t, has, 0, ROWS(rows));
	tcase_add_test(t, unix_peers_and_nobody);
	tcase_add_test(t, lists);
	tcase_add_loop_test(t, told_addresses, 0, ROWS(told));
	tcase_add_loop_test(t, untold_addresses, 0, ROWS(untold));
	tcase_add_test(t, unmapping);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
