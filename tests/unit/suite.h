/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a unit program's main() does with its tests. */

#include <check.h>
#include <stdlib.h>

/* Runs the `n` tests, each between `setup` and `teardown` (NULL = nothing). Returns main()'s. */
static inline int suite_run(
        const char *name, const TTest *const *tests, size_t n, SFun setup, SFun teardown)
{
	Suite *s = suite_create(name);
	TCase *tc = tcase_create("all");
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
