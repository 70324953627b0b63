/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <check.h>
#include <time.h>

START_TEST(monotonic_time_never_steps_back)
{
	uint64_t last = clock_ms();

	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_ms();

		ck_assert_uint_ge(now, last);
		last = now;
	}
}
END_TEST

START_TEST(well_known_times)
{
	static const struct {
		int64_t s;
		uint32_t ms;
		const char *text;
	} cases[] = {
	        {0, 0, "1970-01-01T00:00:00.000Z"},
	        {-1, 7, "1970-01-01T00:00:00.007Z"},
	        {951782399, 999, "2000-02-28T23:59:59.999Z"},
	        {951782400, 0, "2000-02-29T00:00:00.000Z"},
	        {951868800, 1, "2000-03-01T00:00:00.001Z"},
	        {1795221310, 123, "2026-11-21T00:35:10.123Z"},
	        {4107542400, 0, "2100-03-01T00:00:00.000Z"},
	        {4107542399, 0, "2100-02-28T23:59:59.000Z"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[25];

		clock_iso_of(text, cases[i].s, cases[i].ms);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(every_day_as_the_library_says)
{
	for (time_t day = 0; day < 366 * 200; day++) {
		time_t s = day * 86400 + day % 86400;
		struct tm tm;
		char want[25], got[25];

		gmtime_r(&s, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		clock_iso_of(got, s, 0);
		ck_assert_str_eq(got, want);
	}
}
END_TEST

START_TEST(now_is_now)
{
	char before[25], now[25], after[25];
	time_t s = time(NULL);

	clock_iso_of(before, s, 0);
	clock_iso(now);
	clock_iso_of(after, s + 100, 0);
	ck_assert_str_ge(now, before);
	ck_assert_str_le(now, after);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/clock");
	TCase *t = tcase_create("clock");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, monotonic_time_never_steps_back);
	tcase_add_test(t, well_known_times);
	tcase_add_test(t, every_day_as_the_library_says);
	tcase_add_test(t, now_is_now);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
