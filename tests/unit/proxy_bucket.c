/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/bucket.h"

#include <check.h>
#include <stdlib.h>

enum { HOUR = 3600000 };

static unsigned take(struct bucket *b, uint64_t per_hour, uint32_t burst, uint64_t now, unsigned n)
{
	unsigned got = 0;
	uint32_t wait;
	for (unsigned i = 0; i < n; i++)
		got += bucket_take(b, per_hour, burst, now, &wait);
	return got;
}

START_TEST(a_new_one_is_full)
{
	struct bucket b = {0};
	ck_assert_uint_eq(take(&b, 3600, 5, 1000, 100), 5);
	ck_assert_uint_eq(take(&b, 3600, 5, 1999, 100), 0);
	ck_assert_uint_eq(take(&b, 3600, 5, 2000, 100), 1);
	ck_assert_uint_eq(take(&b, 3600, 5, 60000, 100), 5);
}
END_TEST

/* A rate that no unit of time divides: over an hour exactly its number, however often
 * somebody asks. */
START_TEST(nothing_drifts)
{
	static const uint64_t rates[] = {1, 7, 13, 3599, 3601, 25200, 99991};
	for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
		struct bucket b = {0};
		uint64_t now = 12345, got = 0;
		uint32_t wait;
		/* Two, so that it is never full: what a full one misses is lost by design. */
		ck_assert_uint_eq(take(&b, rates[r], 2, now, 3), 2);
		for (uint64_t end = now + HOUR; now < end;) {
			now += rates[r] > 10000 ? 1 : 7 + now % 13;
			if (now > end)
				now = end;
			got += bucket_take(&b, rates[r], 2, now, &wait);
		}
		ck_assert_uint_eq(got, rates[r]);
	}
}
END_TEST

/* With room for what comes between two questions, all of it is found. */
START_TEST(nothing_is_lost)
{
	static const uint64_t rates[] = {7, 25200, 99991, 3600000, 3600000000};
	for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
		struct bucket b = {0};
		uint64_t now = 1, got = 0;
		uint32_t burst = 1000000;
		take(&b, rates[r], burst, now, burst);
		for (unsigned i = 0; i < 1000; i++) {
			now += 1 + i % 5;
			got += take(&b, rates[r], burst, now, 6000);
		}
		ck_assert_uint_eq(got, (now - 1) * rates[r] / HOUR);
	}
}
END_TEST

START_TEST(it_tells_when_to_come_again)
{
	static const uint64_t rates[] = {1, 7, 3600, 360000, 99991, 3600000000};
	for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
		struct bucket b = {0};
		uint32_t wait = 0, none;
		uint64_t now = 77;
		take(&b, rates[r], 3, now, 3);
		ck_assert(!bucket_take(&b, rates[r], 3, now, &wait));
		ck_assert_uint_ge(wait, 1);
		ck_assert(!bucket_take(&b, rates[r], 3, now + wait - 1, &none));
		ck_assert_uint_eq(none, 1);
		ck_assert(bucket_take(&b, rates[r], 3, now + wait, &none));
	}
}
END_TEST

/* What is refused costs nothing: who hammers gets as much as who waits. */
START_TEST(a_refusal_costs_nothing)
{
	struct bucket b = {0};
	take(&b, 3600, 1, 1, 1);
	for (uint64_t now = 1; now <= 1000; now++)
		ck_assert_uint_eq(take(&b, 3600, 1, now, 3), 0);
	ck_assert_uint_eq(take(&b, 3600, 1, 1001, 3), 1);
}
END_TEST

START_TEST(the_clock_of_another_worker_may_be_behind)
{
	struct bucket b = {0};
	ck_assert_uint_eq(take(&b, 3600, 2, 5000, 3), 2);
	ck_assert_uint_eq(take(&b, 3600, 2, 4000, 3), 0);
	ck_assert_uint_eq(take(&b, 3600, 2, 5999, 3), 0);
	ck_assert_uint_eq(take(&b, 3600, 2, 6000, 3), 1);
}
END_TEST

START_TEST(ages_and_extremes)
{
	struct bucket b = {0};
	ck_assert_uint_eq(take(&b, 3600000000, UINT32_MAX, 1, 1000), 1000);
	ck_assert_uint_eq(take(&b, 1, 1, UINT64_MAX - HOUR, 5), 1);
	ck_assert_uint_eq(take(&b, 1, 1, UINT64_MAX, 5), 1);
}
END_TEST

START_TEST(a_smaller_burst_after_a_reload)
{
	struct bucket b = {0};
	uint32_t wait;
	take(&b, 3600, 100, 1000, 100);
	ck_assert(!bucket_take(&b, 3600, 2, 1000, &wait));
	ck_assert_uint_eq(wait, 1000);
	ck_assert_uint_eq(take(&b, 3600, 2, 3000, 5), 2);
}
END_TEST

START_TEST(returned)
{
	struct bucket b = {0};
	ck_assert_uint_eq(take(&b, 3600, 2, 1000, 3), 2);
	bucket_return(&b);
	ck_assert_uint_eq(take(&b, 3600, 2, 1000, 3), 1);
	ck_assert_uint_eq(bucket_full_ms(&b, 3600), 3000);
	bucket_return(&b);
	bucket_return(&b);
	bucket_return(&b);
	ck_assert_uint_eq(b.missing, 0);
	ck_assert_uint_eq(take(&b, 3600, 2, 1000, 3), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_bucket");
	TCase *tc = tcase_create("bucket");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_new_one_is_full);
	tcase_add_test(tc, nothing_drifts);
	tcase_add_test(tc, nothing_is_lost);
	tcase_add_test(tc, it_tells_when_to_come_again);
	tcase_add_test(tc, a_refusal_costs_nothing);
	tcase_add_test(tc, the_clock_of_another_worker_may_be_behind);
	tcase_add_test(tc, ages_and_extremes);
	tcase_add_test(tc, a_smaller_burst_after_a_reload);
	tcase_add_test(tc, returned);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
