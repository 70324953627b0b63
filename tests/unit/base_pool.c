/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/budget.h"
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
	ck_assert_uint_eq(pool.size, 40);
	for (int i = 0; i < 50; i++) {
		got[i] = pool_get(&pool);
		ck_assert_ptr_nonnull(got[i]);
		ck_assert_uint_eq((uintptr_t)got[i] % 8, 0);
		memset(got[i], i, 40);
	}
	ck_assert_uint_eq(pool.used, 50);
	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 40; k++)
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
	void *a, *b;

	pool_init(&pool, 1, 16);
	a = pool_get(&pool);
	b = pool_get(&pool);
	pool_put(&pool, a);
	pool_put(&pool, b);
	ck_assert_ptr_eq(pool_get(&pool), b);
	ck_assert_ptr_eq(pool_get(&pool), a);
	ck_assert_ptr_eq(pool_get(&pool), (char *)b + 8);
	ck_assert_uint_eq(pool.slabs, 1);
	pool_put(&pool, (char *)b + 8);
	pool_put(&pool, b);
	pool_put(&pool, a);
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
	uint64_t before = budget_taken();

	pool_init(&pool, 100, 2);
	for (int round = 0; round < 3; round++) {
		void *a = pool_get(&pool);

		ck_assert_ptr_nonnull(a);
		pool_put(&pool, a);
		pool_fini(&pool);
		ck_assert_uint_eq(pool.slabs, 0);
		ck_assert_uint_eq(budget_taken(), before);
	}
}
END_TEST

/* Objects are put back in an order that empties slabs in the middle, first and last. */
START_TEST(slabs_go_when_they_are_empty)
{
	enum { N = 200, KEPT = 256 * 1024 };
	struct pool pool;
	void *got[N];
	uint64_t before = budget_taken();

	pool_init(&pool, 8000, 9);
	for (int step = 1; step <= 9; step += step + 1) {
		for (int i = 0; i < N; i++)
			ck_assert_ptr_nonnull(got[i] = pool_get(&pool));
		size_t most = pool.slabs;
		ck_assert_uint_ge(most, N / 20);
		ck_assert_uint_le(most, N / 4);
		ck_assert_uint_eq(budget_taken(), before + most * pool.slab_size);
		for (int i = 0; i < N; i++) {
			int at = i * step % N;
			memset(got[at], 0xff, 100);
			pool_put(&pool, got[at]);
		}
		ck_assert_uint_eq(pool.used, 0);
		ck_assert_uint_eq(pool.slabs, KEPT / pool.slab_size);
		ck_assert_uint_eq(budget_taken(), before + KEPT);
	}
	pool_fini(&pool);
	ck_assert_uint_eq(budget_taken(), before);
}
END_TEST

/* On the border between two slabs nothing is allocated or freed. */
START_TEST(an_empty_slab_is_kept)
{
	struct pool pool;
	void *first[64], *more;
	size_t n = 0;

	pool_init(&pool, 100, 4);
	do
		first[n++] = pool_get(&pool);
	while (pool.slabs == 1);
	for (int i = 0; i < 3; i++) {
		more = first[n - 1];
		pool_put(&pool, more);
		ck_assert_uint_eq(pool.slabs, 2);
		ck_assert_ptr_eq(first[n - 1] = pool_get(&pool), more);
	}
	while (n > 0)
		pool_put(&pool, first[--n]);
	pool_fini(&pool);
}
END_TEST

START_TEST(large_objects_have_slabs_of_their_own)
{
	struct pool pool;
	char *a, *b;

	pool_init(&pool, 5000, 1);
	a = pool_get(&pool);
	b = pool_get(&pool);
	ck_assert_uint_eq(pool.slabs, 2);
	memset(a, 1, 5000);
	memset(b, 2, 5000);
	ck_assert_int_eq(a[4999], 1);
	pool_put(&pool, a);
	pool_put(&pool, b);
	pool_fini(&pool);
}
END_TEST

START_TEST(a_full_budget_stops_growth)
{
	struct pool pool, promised;
	void *a, *b, *c;

	pool_init(&pool, 1500, 1);
	pool_init(&promised, 1500, 1);
	promised.is_promised = true;
	a = pool_get(&pool);
	budget_promise(5000);
	budget_set(budget_taken() + 5000);
	errno = 0;
	ck_assert_ptr_null(pool_get(&pool));
	ck_assert_int_eq(errno, ENOMEM);
	b = pool_get(&promised);
	ck_assert_ptr_nonnull(b);
	budget_set(budget_taken());
	c = pool_get(&promised);
	ck_assert_ptr_null(c);
	budget_set(0);
	budget_promise(-5000);
	pool_put(&pool, a);
	pool_put(&promised, b);
	pool_fini(&pool);
	pool_fini(&promised);
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
	tcase_add_test(t, slabs_go_when_they_are_empty);
	tcase_add_test(t, an_empty_slab_is_kept);
	tcase_add_test(t, large_objects_have_slabs_of_their_own);
	tcase_add_test(t, a_full_budget_stops_growth);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
