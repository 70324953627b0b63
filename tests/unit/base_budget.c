/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/budget.h"
#include "base/mem.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>

enum { MIB = 1024 * 1024 };

START_TEST(without_a_limit_nothing_is_short)
{
	budget_set(0);
	budget_take(INT64_C(1) << 50);
	ck_assert(!budget_is_short());
	ck_assert(budget_has(SIZE_MAX) && budget_has_promised(SIZE_MAX));
	budget_take(-(INT64_C(1) << 50));
}
END_TEST

START_TEST(short_from_seven_eighths_until_under_three_quarters)
{
	uint64_t base = budget_taken();
	unsigned before = budget_shortages();

	ck_assert_uint_lt(base, MIB);
	budget_set(80 * MIB);
	budget_take(70 * MIB - (int64_t)base - 1);
	budget_settle();
	ck_assert(!budget_is_short());
	budget_take(1);
	budget_settle();
	ck_assert(budget_is_short());
	ck_assert_uint_eq(budget_shortages(), before + 1);
	budget_take(-10 * MIB);
	ck_assert(budget_is_short());
	budget_take(-1);
	budget_settle();
	ck_assert(!budget_is_short());
	budget_take(10 * MIB + 1);
	ck_assert(budget_is_short());
	ck_assert_uint_eq(budget_shortages(), before + 2);
	budget_set(0);
	ck_assert(!budget_is_short());
	budget_take(-70 * MIB + (int64_t)base);
}
END_TEST

START_TEST(what_is_promised_makes_short_but_does_not_fill)
{
	uint64_t base = budget_taken();

	budget_set(8 * MIB + base);
	budget_promise(8 * MIB);
	ck_assert(budget_is_short());
	ck_assert(!budget_has(1));
	ck_assert(budget_has(0));
	ck_assert(budget_has_promised(8 * MIB));
	ck_assert(!budget_has_promised(8 * MIB + 1));
	/* Used up as promised: nothing changes for others. */
	budget_take(3 * MIB);
	budget_promise(-3 * MIB);
	ck_assert(budget_is_short());
	ck_assert(!budget_has(1));
	ck_assert(budget_has_promised(5 * MIB));
	ck_assert(!budget_has_promised(5 * MIB + 1));
	budget_promise(-5 * MIB);
	budget_take(-3 * MIB);
	ck_assert(!budget_is_short());
	budget_set(0);
}
END_TEST

START_TEST(checked_allocations_fail_at_the_limit)
{
	uint64_t base = budget_taken();
	void *p = mem_try(1000), *q;

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_ge(budget_taken(), base + 1000);
	budget_set(budget_taken() + 500);
	errno = 0;
	ck_assert_ptr_null(mem_try(501));
	ck_assert_int_eq(errno, ENOMEM);
	q = mem_try(400);
	ck_assert_ptr_nonnull(q);
	mem_free(q);
	/* Ours are never refused. */
	q = mem_resize(mem_new(10 * 1000), 20 * 1000);
	ck_assert_uint_ge(budget_taken(), base + 21 * 1000);
	ck_assert_ptr_null(mem_try(1));
	mem_free(q);
	mem_free(p);
	mem_free(mem_strdup("counted"));
	mem_free(mem_format("%d %s", 10000, "counted"));
	budget_set(0);
	ck_assert_uint_eq(budget_taken(), base);
}
END_TEST

static void *give_back(void *p)
{
	mem_free(p);
	ck_assert_int_lt(budget_own.taken, 0);
	budget_settle();
	ck_assert_int_eq(budget_own.taken, 0);
	return NULL;
}

START_TEST(threads_add_up)
{
	uint64_t base = budget_taken();
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, give_back, mem_new(5000)), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(budget_taken(), base);
}
END_TEST

START_TEST(small_changes_stay_with_the_thread)
{
	budget_settle();
	budget_take(BUDGET_STEP - 1);
	ck_assert_int_eq(budget_own.taken, BUDGET_STEP - 1);
	budget_take(1);
	ck_assert_int_eq(budget_own.taken, 0);
	budget_take(-BUDGET_STEP);
	ck_assert_int_eq(budget_own.taken, 0);
	budget_promise(BUDGET_STEP);
	ck_assert_int_eq(budget_own.promised, 0);
	budget_promise(-BUDGET_STEP);
	ck_assert_int_eq(budget_own.promised, 0);
	ck_assert_uint_eq(budget_promised(), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/budget");
	TCase *t = tcase_create("budget");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, without_a_limit_nothing_is_short);
	tcase_add_test(t, short_from_seven_eighths_until_under_three_quarters);
	tcase_add_test(t, what_is_promised_makes_short_but_does_not_fill);
	tcase_add_test(t, checked_allocations_fail_at_the_limit);
	tcase_add_test(t, threads_add_up);
	tcase_add_test(t, small_changes_stay_with_the_thread);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
