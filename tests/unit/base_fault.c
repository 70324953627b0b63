/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

START_TEST(bad_plans_are_refused_and_change_nothing)
{
	static const char *const bad[] = {"recv", "recv:1", ":1:EIO", "recv:x:EIO", "recv:-1:EIO",
	        "recv:1:EWHAT", "recv:1:EIO:", "recv:1:EIO:x", "recv:1:EIO:1:1", "recv:1:EIO,",
	        ",recv:1:EIO", "recv::EIO", "recv:1:", "recv:99999999999999999999:EIO",
	        "a_name_of_more_than_thirty_one_bytes:1:EIO"};

	ck_assert(fault_plan("send:1:EPIPE:9"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!fault_plan(bad[i]), "%s", bad[i]);
	ck_assert_int_eq(fault_next("send"), EPIPE);
	ck_assert(fault_plan(NULL));
	ck_assert_int_eq(fault_next("send"), 0);
	ck_assert(fault_plan(""));
}
END_TEST

START_TEST(the_nth_call_fails_and_only_so_many)
{
	ck_assert(fault_plan("recv:3:ECONNRESET,alloc:2:ENOMEM:2,writev:1:SHORT"));
	ck_assert_int_eq(fault_next("recv"), 0);
	ck_assert_int_eq(fault_next("recv"), 0);
	ck_assert_int_eq(fault_next("recv"), ECONNRESET);
	ck_assert_int_eq(fault_next("recv"), 0);
	ck_assert_int_eq(fault_next("alloc"), 0);
	ck_assert_int_eq(fault_next("alloc"), ENOMEM);
	ck_assert_int_eq(fault_next("alloc"), ENOMEM);
	ck_assert_int_eq(fault_next("alloc"), 0);
	ck_assert_int_eq(fault_next("writev"), FAULT_SHORT);
	ck_assert_int_eq(fault_next("writev"), 0);
	ck_assert_int_eq(fault_next("recvmsg"), 0);
	fault_plan(NULL);
}
END_TEST

START_TEST(entries_of_one_name_count_the_same_calls)
{
	ck_assert(fault_plan("recv:1:EIO,recv:2:EPIPE,recv:1:ENOMEM:3"));
	ck_assert_int_eq(fault_next("recv"), EIO);
	ck_assert_int_eq(fault_next("recv"), EPIPE);
	ck_assert_int_eq(fault_next("recv"), ENOMEM);
	ck_assert_int_eq(fault_next("recv"), 0);
	fault_plan(NULL);
}
END_TEST

static unsigned strikes_of(const char *plan, unsigned calls, unsigned *mix)
{
	unsigned n = 0;

	ck_assert(fault_plan(plan));
	*mix = 0;
	for (unsigned i = 0; i < calls; i++) {
		if (fault_next("recv") != 0) {
			n++;
			*mix = *mix * 31 + i;
		}
	}
	return n;
}

START_TEST(chance_is_about_right_and_repeatable)
{
	unsigned first, second;
	unsigned n = strikes_of("recv:0:EIO:100", 10000, &first);

	ck_assert_uint_gt(n, 700);
	ck_assert_uint_lt(n, 1300);
	ck_assert_uint_eq(strikes_of("recv:0:EIO:100", 10000, &second), n);
	ck_assert_uint_eq(first, second);
	ck_assert_uint_eq(strikes_of("recv:0:EIO:1000", 100, &first), 100);
	ck_assert_uint_eq(strikes_of("recv:0:EIO:0", 100, &first), 0);
	fault_plan(NULL);
}
END_TEST

static atomic_uint struck;

static void *call_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++)
		if (fault_next("recv") != 0)
			atomic_fetch_add(&struck, 1);
	return NULL;
}

START_TEST(threads_share_one_count)
{
	pthread_t t[3];

	atomic_store(&struck, 0);
	ck_assert(fault_plan("recv:100:EIO:5000"));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, call_often, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(atomic_load(&struck), 5000);
	fault_plan(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/fault");
	TCase *t = tcase_create("fault");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, bad_plans_are_refused_and_change_nothing);
	tcase_add_test(t, the_nth_call_fails_and_only_so_many);
	tcase_add_test(t, entries_of_one_name_count_the_same_calls);
	tcase_add_test(t, chance_is_about_right_and_repeatable);
	tcase_add_test(t, threads_share_one_count);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
