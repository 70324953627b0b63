/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_rate.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct log_rate rate;

static void setup(void)
{
	memset(&rate, 0, sizeof(rate));
}

static enum log_rate_verdict ask(const char *event, uint64_t now_ms)
{
	return log_rate_ask(&rate, LOG_LEVEL_WARN, event, 3, now_ms);
}

static uint64_t take(const char *event, uint64_t now_ms, bool all)
{
	struct log_rate_count c;
	unsigned at = 0;
	uint64_t n = 0;

	while (log_rate_take(&rate, &at, now_ms, all, &c)) {
		ck_assert_int_eq(c.level, LOG_LEVEL_WARN);
		if (strcmp(c.event, event) == 0)
			n += c.n;
	}
	return n;
}

/* */
START_TEST(A_11_a_flood_is_counted)
{
	unsigned passed = 0, first = 0;

	for (uint64_t now = 5000; now < 6000; now++) {
		for (int i = 0; i < 100; i++) {
			enum log_rate_verdict v = ask("flood", now);

			passed += v == LOG_RATE_PASS;
			first += v == LOG_RATE_FIRST;
		}
	}
	ck_assert_uint_eq(passed, 3);
	ck_assert_uint_eq(first, 1);
	ck_assert_uint_eq(log_rate_due(&rate), 6000);
	ck_assert_uint_eq(take("flood", 5999, false), 0);
	ck_assert_uint_eq(take("flood", 6000, false), 100000 - 3);
	ck_assert_uint_eq(take("flood", 6000, true), 0);
	ck_assert_uint_eq(log_rate_due(&rate), UINT64_MAX);
}
END_TEST

START_TEST(A_11_a_new_second_begins_anew)
{
	for (uint64_t second = 1; second < 100; second++) {
		for (int i = 0; i < 5; i++)
			ck_assert_int_eq(ask("e", second * 1000 + (uint64_t)i),
			        i < 3    ? LOG_RATE_PASS
			        : i == 3 ? LOG_RATE_FIRST
			                 : LOG_RATE_SUPPRESSED);
		ck_assert_uint_eq(take("e", (second + 1) * 1000, false), 2);
	}
}
END_TEST

START_TEST(A_11_few_lines_pass_for_ever)
{
	for (uint64_t i = 0; i < 10000; i++)
		ck_assert_int_eq(ask("few", 7 + i * 400), LOG_RATE_PASS);
	ck_assert_uint_eq(log_rate_due(&rate), UINT64_MAX);
}
END_TEST

START_TEST(A_11_one_event_takes_nothing_from_another)
{
	char again[] = "noisy"; /* the same name at another place */

	for (int i = 0; i < 100; i++)
		ask(i & 1 ? again : "noisy", 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ask("quiet", 1), LOG_RATE_PASS);
	ck_assert_uint_eq(take("noisy", 1001, false), 97);
}
END_TEST

START_TEST(A_11_what_happens_once_is_never_kept_back)
{
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(ask("listening", 1), LOG_RATE_PASS);
		ck_assert_int_eq(ask("totals", 1), LOG_RATE_PASS);
		ck_assert_int_eq(ask("stopping", 1), LOG_RATE_PASS);
	}
}
END_TEST

/* What nobody took is not lost, and what is taken late is taken whole. */
START_TEST(A_11_counts_add_up)
{
	uint64_t passed = 0, taken = 0;

	for (uint64_t now = 0; now < 20000; now++) {
		passed += ask("e", now) == LOG_RATE_PASS;
		if (now % 777 == 0)
			taken += take("e", now, false);
	}
	taken += take("e", 20000, true);
	ck_assert_uint_eq(passed, 60);
	ck_assert_uint_eq(passed + taken, 20000);
}
END_TEST

static atomic_bool is_asked;
static unsigned firsts;

static void *ask_many(void *arg)
{
	for (unsigned i = 0; i < 1000000; i++)
		firsts += ask("e", 1) == LOG_RATE_FIRST;
	atomic_store(&is_asked, true);
	return arg;
}

/* A count that nobody is woken for would wait for the next line: each begins with a verdict that
 * says so, also where the writer takes the last one at that very moment. */
START_TEST(A_11_whoever_waits_is_woken_for_every_count)
{
	pthread_t t;
	unsigned counts = 0;
	uint64_t taken;

	ck_assert_int_eq(pthread_create(&t, NULL, ask_many, NULL), 0);
	do {
		bool is_last = atomic_load(&is_asked);
		taken = take("e", 1, true);
		counts += taken > 0;
		if (is_last)
			break;
	} while (true);
	pthread_join(t, NULL);
	ck_assert_uint_eq(counts, firsts);
}
END_TEST

START_TEST(more_events_than_there_is_room_for_pass)
{
	static char names[2 * LOG_RATE_EVENTS][8];

	for (unsigned i = 0; i < 2 * LOG_RATE_EVENTS; i++) {
		snprintf(names[i], sizeof(names[i]), "e%u", i);
		for (int n = 0; n < 10; n++)
			ck_assert_int_eq(
			        ask(names[i], 1) == LOG_RATE_PASS, i >= LOG_RATE_EVENTS || n < 3);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base_log_rate");
	TCase *tc = tcase_create("log_rate");
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, A_11_a_flood_is_counted);
	tcase_add_test(tc, A_11_a_new_second_begins_anew);
	tcase_add_test(tc, A_11_few_lines_pass_for_ever);
	tcase_add_test(tc, A_11_one_event_takes_nothing_from_another);
	tcase_add_test(tc, A_11_what_happens_once_is_never_kept_back);
	tcase_add_test(tc, A_11_counts_add_up);
	tcase_add_test(tc, A_11_whoever_waits_is_woken_for_every_count);
	tcase_add_test(tc, more_events_than_there_is_room_for_pass);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
