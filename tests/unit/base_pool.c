/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"
#include "base/pool.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

START_TEST(objects_are_aligned_and_apart)
{
	struct pool pool;
	char *got[50];

	pool_init(&pool, 33, 7);
	ck_assert_uint_eq(pool.size, 48);
	for (int i = 0; i < 50; i++) {
		got[i] = pool_get(&pool);
		ck_assert_ptr_nonnull(got[i]);
		ck_assert_uint_eq((uintptr_t)got[i] % 16, 0);
		memset(got[i], i, 48);
	}
	ck_assert_uint_eq(pool.used, 50);
	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 48; k++)
			ck_assert_int_eq(got[i][k], i);
		pool_put(&pool, got[i]);
	}
	ck_assert_uint_eq(pool.used, 0);
	pool_fini(&pool);
}
END_TEST

START_TEST(what_was_put_back_comes_first)
{
	struct pool pool;
	void *a, *b, *slab;

	pool_init(&pool, 1, 4);
	a = pool_get(&pool);
	b = pool_get(&pool);
	slab = pool.slabs;
	pool_put(&pool, a);
	pool_put(&pool, b);
	ck_assert_ptr_eq(pool_get(&pool), b);
	ck_assert_ptr_eq(pool_get(&pool), a);
	ck_assert_ptr_nonnull(pool_get(&pool));
	ck_assert_ptr_nonnull(pool_get(&pool));
	ck_assert_ptr_eq(pool.slabs, slab);
	for (int i = 0; i < 4; i++)
		pool_put(&pool, (char *)a + 16 * i);
	pool_fini(&pool);
}
END_TEST

START_TEST(each_get_can_fail)
{
	struct pool pool;
	void *a;

	pool_init(&pool, 16, 4);
	ck_assert(fault_plan("alloc:2:ENOMEM"));
	a = pool_get(&pool);
	ck_assert_ptr_nonnull(a);
	errno = 0;
	ck_assert_ptr_null(pool_get(&pool));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(pool.used, 1);
	pool_put(&pool, a);
	fault_plan(NULL);
	pool_fini(&pool);
}
END_TEST

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

START_TEST(free_objects_are_poisoned)
{
	struct pool pool;
	char *a, *b;

	pool_init(&pool, 32, 4);
	a = pool_get(&pool);
	ck_assert(!__asan_address_is_poisoned(a + 31));
	ck_assert(__asan_address_is_poisoned(a + 32));
	b = pool_get(&pool);
	pool_put(&pool, a);
	ck_assert(__asan_address_is_poisoned(a));
	ck_assert(__asan_address_is_poisoned(a + 31));
	ck_assert(!__asan_address_is_poisoned(b));
	ck_assert_ptr_eq(pool_get(&pool), a);
	ck_assert(!__asan_address_is_poisoned(a + 31));
	pool_put(&pool, a);
	pool_put(&pool, b);
	pool_fini(&pool);
}
END_TEST
#endif

START_TEST(an_emptied_pool_can_be_used_again)
{
	struct pool pool;

	pool_init(&pool, 100, 2);
	for (int round = 0; round < 3; round++) {
		void *a = pool_get(&pool);

		ck_assert_ptr_nonnull(a);
		pool_put(&pool, a);
		pool_fini(&pool);
		ck_assert_ptr_null(pool.slabs);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base/pool");
	TCase *t = tcase_create("pool");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, objects_are_aligned_and_apart);
	tcase_add_test(t, what_was_put_back_comes_first);
	tcase_add_test(t, each_get_can_fail);
#if defined(__SANITIZE_ADDRESS__)
	tcase_add_test(t, free_objects_are_poisoned);
#endif
	tcase_add_test(t, an_emptied_pool_can_be_used_again);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
