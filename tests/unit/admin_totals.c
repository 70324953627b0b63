/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/totals.h"
#include "net/worker.h"
#include "proxy/proxy.h"

#include <check.h>

static const struct counter_info info[] = {{"first", ""}, {"second", ""}, {"third", ""}};

START_TEST(sums_over_workers_zeros_too)
{
	counter a[3] = {1, 0, UINT64_MAX - 5};
	counter b[3] = {41, 0, 5};
	const counter *sets[] = {a, b};
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "totals");
	totals_add(&l, info, 3, sets, 2);
	l.text[l.len] = '\0';
	ck_assert_str_eq(l.text + 24, " info  totals first=42 second=0 third=18446744073709551615");
}
END_TEST

START_TEST(one_worker_or_none)
{
	counter a[3] = {7, 8, 9};
	const counter *sets[] = {a};
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "totals");
	totals_add(&l, info, 3, sets, 1);
	totals_add(&l, info, 1, NULL, 0);
	l.text[l.len] = '\0';
	ck_assert_str_eq(l.text + 24, " info  totals first=7 second=8 third=9 first=0");
}
END_TEST

START_TEST(every_counter_has_room)
{
	enum { MANY = 100 };
	counter most[MANY];
	const counter *sets[] = {most};
	struct log_line l;

	for (unsigned i = 0; i < MANY; i++)
		most[i] = UINT64_MAX;
	ck_assert_uint_le(net_counter_n, MANY);
	ck_assert_uint_le(proxy_counter_n, MANY);
	log_begin(&l, LOG_LEVEL_INFO, "totals");
	totals_add(&l, net_counter_info, net_counter_n, sets, 1);
	totals_add(&l, proxy_counter_info, proxy_counter_n, sets, 1);
	log_unum(&l, "log_lost", UINT64_MAX);
	ck_assert(!l.cut);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin/totals");
	TCase *t = tcase_create("totals");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, sums_over_workers_zeros_too);
	tcase_add_test(t, one_worker_or_none);
	tcase_add_test(t, every_counter_has_room);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
