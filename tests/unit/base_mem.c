/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "base/mem.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(new_memory_is_zero)
{
	char *p = mem_new(64);

	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(p[i], 0);
	mem_free(p);
	mem_free(mem_new(0));
	mem_free(NULL);
}
END_TEST

START_TEST(strings_are_copied)
{
	char text[] = "gate";
	char *copy = mem_strdup(text);

	text[0] = 'l';
	ck_assert_str_eq(copy, "gate");
	copy = mem_resize(copy, 100);
	ck_assert_str_eq(copy, "gate");
	copy = mem_resize(copy, 0);
	mem_free(copy);
	copy = mem_format("%s:%u", text, 7U);
	ck_assert_str_eq(copy, "late:7");
	mem_free(copy);
}
END_TEST

START_TEST(checked_allocation_fails_on_demand)
{
	void *p;

	ck_assert(fault_plan("alloc:2:ENOMEM"));
	p = mem_try(10);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
	errno = 0;
	ck_assert_ptr_null(mem_try(10));
	ck_assert_int_eq(errno, ENOMEM);
	p = mem_try(0);
	ck_assert_ptr_nonnull(p);
	mem_free(p);
	fault_plan(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/mem");
	TCase *t = tcase_create("mem");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, new_memory_is_zero);
	tcase_add_test(t, strings_are_copied);
	tcase_add_test(t, checked_allocation_fails_on_demand);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
