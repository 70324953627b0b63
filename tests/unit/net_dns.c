/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/dns.h"

#include "dns_message.h"

#include <check.h>
#include <stdio.h>

static struct message m;
static struct dns_reply r;

static enum dns_verdict read_exact(enum dns_type type, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	memcpy(exact, m.at, len);
	enum dns_verdict v = dns_read(&r, type, exact, len);
	free(exact);
	return v;
}

static enum dns_verdict read_message(enum dns_type type)
{
	return read_exact(type, m.len);
}

START_TEST(addresses)
{
	message_begin(&m, 1, "app.example", T_A);
	put_a(&m, "app.example", 60, 0x7f000001);
	put_a(&m, "App.Example", 30, 0x7f000002);
	put_a(&m, "app.example", 90, 0x7f000001); /* twice */
	ck_assert_int_eq(read_message(DNS_A), DNS_OK);
	ck_assert_uint_eq(r.n, 2);
	ck_assert_uint_eq(r.ttl_s, 30);
	ck_assert_mem_eq(r.ip[0], "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	ck_assert_mem_eq(r.ip[1], "\x7f\0\0\2", 4);
	message_begin(&m, 1, "app.example", T_AAAA);
	put_aaaa(&m, "app.example", 7, 9);
	ck_assert_int_eq(read_message(DNS_AAAA), DNS_OK);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_eq(r.ip[0][15], 9);
}
END_TEST

/* U-19: what is said of others is not believed. */
START_TEST(what_was_not_asked_for)
{
	message_begin(&m, 1, "app.example", T_A);
	put_a(&m, "bank.example", 60, 0x7f000001);
	put_aaaa(&m, "app.example", 60, 1);
	put_record(&m, "app.example", T_TXT, 60, "\3abc", 4);
	put_record(&m, "app.example", T_A, 60, "abc", 3);
	put_record(&m, "app.example", T_A, 60, "abcde", 5);
	ck_assert_int_eq(read_message(DNS_A), DNS_EMPTY);
	message_begin(&m, 1, "app.example", T_A);
	ck_assert_int_eq(read_message(DNS_A), DNS_EMPTY);
	/* In another class. */
	put_a(&m, "app.example", 60, 0x7f000001);
	m.at[m.len - 4 - 2 - 4 - 1] = 3;
	ck_assert_int_eq(read_message(DNS_A), DNS_EMPTY);
}
END_TEST

START_TEST(aliases)
{
	message_begin(&m, 1, "app.example", T_A);
	put_a(&m, "c.example", 60, 0x7f000001); /* in any order */
	put_cname(&m, "b.example", 5, "C.example");
	put_cname(&m, "app.example", 60, "b.example");
	put_a(&m, "app.example", 1, 0x7f000009); /* beside an alias: not followed */
	ck_assert_int_eq(read_message(DNS_A), DNS_OK);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_eq(r.ip[0][3], 1);
	ck_assert_uint_eq(r.ttl_s, 5);
	/* It leads out of the reply. */
	message_begin(&m, 1, "app.example", T_A);
	put_cname(&m, "app.example", 60, "b.example");
	ck_assert_int_eq(read_message(DNS_A), DNS_EMPTY);
}
END_TEST

/* U-16 */
START_TEST(loops_of_aliases)
{
	char from[32], to[32];
	message_begin(&m, 1, "app.example", T_A);
	put_cname(&m, "app.example", 60, "app.example");
	ck_assert_int_eq(read_message(DNS_A), DNS_LOOP);
	message_begin(&m, 1, "a", T_A);
	put_cname(&m, "a", 60, "b");
	put_cname(&m, "b", 60, "a");
	put_a(&m, "a", 60, 1);
	ck_assert_int_eq(read_message(DNS_A), DNS_LOOP);
	for (int n = DNS_ALIASES_MAX; n <= DNS_ALIASES_MAX + 1; n++) {
		message_begin(&m, 1, "a0", T_A);
		for (int i = 0; i < n; i++) {
			snprintf(from, sizeof from, "a%d", i);
			snprintf(to, sizeof to, "a%d", i + 1);
			put_cname(&m, from, 60, to);
		}
		put_a(&m, to, 60, 1);
		ck_assert_int_eq(read_message(DNS_A), n > DNS_ALIASES_MAX ? DNS_LOOP : DNS_OK);
	}
}
END_TEST

/* U-16 */
START_TEST(many_records)
{
	message_begin(&m, 1, "app", T_A);
	for (unsigned i = 0; i < 500; i++)
		put_a(&m, "app", 60, 0x0a000000 + i);
	ck_assert_int_eq(read_message(DNS_A), DNS_OK);
	ck_assert_uint_eq(r.n, DNS_RECORDS_MAX);
	ck_assert_uint_eq(r.ip[DNS_RECORDS_MAX - 1][3], DNS_RECORDS_MAX - 1);
}
END_TEST

/* U-16 */
START_TEST(times_to_live)
{
	static const uint32_t ttl[][2] = {
	        {0, 0}, {1, 1}, {0x7fffffff, 0x7fffffff}, {0x80000000, 0}, {0xffffffff, 0}};
	for (size_t i = 0; i < sizeof ttl / sizeof ttl[0]; i++) {
		message_begin(&m, 1, "app", T_A);
		put_a(&m, "app", ttl[i][0], 1);
		ck_assert_int_eq(read_message(DNS_A), DNS_OK);
		ck_assert_uint_eq(r.ttl_s, ttl[i][1]);
	}
}
END_TEST

START_TEST(services)
{
	message_begin(&m, 1, "_chat._tcp.example", T_SRV);
	put_srv(&m, "_chat._tcp.example", 60, 10, 5, 9000, "a.example");
	put_srv(&m, "_chat._tcp.example", 60, 20, 0, 9001, "b.example");
	put_srv(&m, "_chat._tcp.example", 60, 20, 0, 0, "noport.example");
	put_srv(&m, "_chat._tcp.example", 60, 20, 0, 1, "not a host");
	put_srv(&m, "other", 60, 1, 1, 1, "c.example");
	put_record(&m, "_chat._tcp.example", T_SRV, 60, "\0\1\0\1\0\1", 6);
	put_record(&m, "_chat._tcp.example", T_SRV, 60, "\0\1\0\1\0\1\xc0", 7);
	ck_assert_int_eq(read_message(DNS_SRV), DNS_OK);
	ck_assert_uint_eq(r.n, 2);
	ck_assert_str_eq(r.target[0].host, "a.example");
	ck_assert_uint_eq(r.target[0].priority, 10);
	ck_assert_uint_eq(r.target[0].weight, 5);
	ck_assert_uint_eq(r.target[0].port, 9000);
	ck_assert_str_eq(r.target[1].host, "b.example");
	/* Not offered. */
	message_begin(&m, 1, "_chat._tcp.example", T_SRV);
	put_srv(&m, "_chat._tcp.example", 60, 0, 0, 0, "");
	ck_assert_int_eq(read_message(DNS_SRV), DNS_OK);
	ck_assert_str_eq(r.target[0].host, "");
}
END_TEST

START_TEST(a_target_too_long_for_a_host)
{
	char host[300];
	for (size_t i = 0; i < sizeof host; i++)
		host[i] = i % 50 == 49 ? '.' : 'x';
	host[249] = 'x';
	host[253] = '\0';
	message_begin(&m, 1, "s", T_SRV);
	put_srv(&m, "s", 60, 1, 1, 1, host);
	ck_assert_int_eq(read_message(DNS_SRV), DNS_OK);
	ck_assert_str_eq(r.target[0].host, host);
}
END_TEST

/* U-17: cut anywhere, and every byte another one: no harm; nothing past the end is read. */
START_TEST(cut_and_changed)
{
	message_begin(&m, 1, "app.example", T_A);
	put_cname(&m, "app.example", 60, "b.example");
	put_a(&m, "b.example", 60, 0x7f000001);
	put_srv(&m, "b.example", 60, 1, 1, 1, "c.example");
	for (size_t len = 0; len < m.len; len++)
		ck_assert_int_eq(read_exact(DNS_A, len), DNS_BROKEN);
	ck_assert_int_eq(read_message(DNS_A), DNS_OK);
	for (size_t i = 0; i < m.len; i++) {
		uint8_t was = m.at[i];
		for (unsigned v = 0; v < 256; v++) {
			m.at[i] = (uint8_t)v;
			for (int type = DNS_A; type <= DNS_SRV; type++)
				if (read_message((enum dns_type)type) == DNS_OK)
					ck_assert_uint_ge(r.n, 1);
		}
		m.at[i] = was;
	}
}
END_TEST

START_TEST(names_that_point_at_themselves)
{
	message_begin(&m, 1, "app", T_A);
	put_record(&m, "app", T_CNAME, 60, "\xc0\x0c", 2); /* the question's name */
	ck_assert_int_eq(read_message(DNS_A), DNS_LOOP);
	message_begin(&m, 1, "app", T_A);
	put_record(&m, "app", T_CNAME, 60, "\xff\xff", 2);
	ck_assert_int_eq(read_message(DNS_A), DNS_BROKEN);
	message_begin(&m, 1, "app", T_A);
	uint8_t self[2] = {0xc0, (uint8_t)(m.len + 5 + 10)};
	put_record(&m, "app", T_CNAME, 60, self, 2); /* the pointer itself */
	ck_assert_int_eq(read_message(DNS_A), DNS_BROKEN);
}
END_TEST

START_TEST(words)
{
	for (int v = DNS_OK; v <= DNS_BROKEN; v++)
		ck_assert_str_ne(dns_reason((enum dns_verdict)v), "");
	ck_assert_int_eq(dns_type_number(DNS_A), 1);
	ck_assert_int_eq(dns_type_number(DNS_AAAA), 28);
	ck_assert_int_eq(dns_type_number(DNS_SRV), 33);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/dns");
	TCase *t = tcase_create("dns");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, addresses);
	tcase_add_test(t, what_was_not_asked_for);
	tcase_add_test(t, aliases);
	tcase_add_test(t, loops_of_aliases);
	tcase_add_test(t, many_records);
	tcase_add_test(t, times_to_live);
	tcase_add_test(t, services);
	tcase_add_test(t, a_target_too_long_for_a_host);
	tcase_add_test(t, cut_and_changed);
	tcase_add_test(t, names_that_point_at_themselves);
	tcase_add_test(t, words);
	suite_add_tcase(s, t);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
