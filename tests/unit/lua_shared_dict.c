/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/shared_dict.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>

static struct slice key_of(char room[32], const char *prefix, unsigned n)
{
	return slice_of(room, (size_t)snprintf(room, 32, "%s%u", prefix, n));
}

static struct shared_value text_of(const char *text, size_t len)
{
	return (struct shared_value){.type = SHARED_STRING, .text = slice_of(text, len)};
}

static bool has(struct shared_dict *d, struct slice key, uint64_t now)
{
	struct shared_value v = {0};
	enum shared_result r = shared_dict_find(d, key, false, now, &v);

	shared_value_release(&v);
	return r == SHARED_OK;
}

static bool set(struct shared_dict *d, struct slice key, const char *text, size_t len)
{
	struct shared_value v = text_of(text, len);
	bool forced;

	return shared_dict_store(d, 0, key, &v, 0, 1, &forced) == SHARED_OK;
}

START_TEST(a_name_is_one_dictionary)
{
	struct shared_dict *a = shared_dict_get("a", 12 << 10);
	struct shared_dict *same = shared_dict_get("a", 12 << 10);
	struct shared_dict *other = shared_dict_get("b", 12 << 10);

	ck_assert_ptr_eq(a, same);
	ck_assert_ptr_ne(a, other);
	ck_assert(set(a, SLICE("k"), "v", 1));
	ck_assert(has(same, SLICE("k"), 1));
	ck_assert(!has(other, SLICE("k"), 1));
	shared_dict_put(a);
	ck_assert(has(same, SLICE("k"), 1));
	/* Another size: a new one, that has the name once it is used; who holds the old one keeps
	 * it. */
	struct shared_dict *larger = shared_dict_get("a", 24 << 10);
	ck_assert_ptr_ne(larger, same);
	shared_dict_put(larger);
	ck_assert_ptr_eq(shared_dict_get("a", 12 << 10), same);
	shared_dict_put(same);
	larger = shared_dict_get("a", 24 << 10);
	shared_dict_use(larger);
	shared_dict_use(larger);
	ck_assert(!has(larger, SLICE("k"), 1));
	ck_assert(has(same, SLICE("k"), 1));
	shared_dict_put(same);
	ck_assert_ptr_eq(shared_dict_get("a", 24 << 10), larger);
	shared_dict_put(larger);
	shared_dict_put(larger);
	shared_dict_put(other);
	/* Nobody held it any more. */
	a = shared_dict_get("a", 24 << 10);
	ck_assert_uint_eq(shared_dict_free_space(a), 24 << 10);
	shared_dict_put(a);
	shared_dict_put(NULL);
}
END_TEST

START_TEST(what_was_found_stays_while_it_is_held)
{
	struct shared_dict *d = shared_dict_get("held", 12 << 10);
	struct shared_value v, list;
	size_t len;

	ck_assert(set(d, SLICE("k"), "before", 6));
	ck_assert_int_eq(shared_dict_find(d, SLICE("k"), false, 1, &v), SHARED_OK);
	ck_assert(set(d, SLICE("k"), "behind", 6));
	struct shared_value one = text_of("one", 3);
	ck_assert_int_eq(shared_dict_push(d, SLICE("l"), true, &one, 1, &len), SHARED_OK);
	ck_assert_int_eq(shared_dict_pop(d, SLICE("l"), true, 1, &list), SHARED_OK);
	struct shared_keys keys = {0};
	ck_assert(shared_dict_keys(d, 0, 1, &keys));
	ck_assert_uint_eq(keys.count, 1);
	shared_dict_put(d);
	ck_assert(slice_equal(v.text, SLICE("before")));
	ck_assert(slice_equal(list.text, SLICE("one")));
	ck_assert(slice_equal(shared_entry_key(keys.at[0]), SLICE("k")));
	shared_value_release(&v);
	shared_value_release(&list);
	shared_keys_release(&keys);
}
END_TEST

/* Sizes of dictionaries and values: never more than the size is used, what was stored last is
 * there, and all of it comes back. */
START_TEST(the_size_is_never_passed)
{
	static const size_t sizes[] = {12 << 10, 100 << 10, 1 << 20, 8 << 20};
	static char text[200000];
	char room[32];

	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct shared_dict *d = shared_dict_get("bound", sizes[i]);
		for (unsigned n = 0; n < 3000; n++) {
			struct slice key = key_of(room, "k", n % 700);
			size_t len = n * 7919 % (sizes[i] < sizeof(text) ? sizes[i] : sizeof(text));
			bool stored = set(d, key, text, len);
			ck_assert_uint_le(shared_dict_free_space(d), sizes[i]);
			ck_assert(stored == has(d, key, 1) || !stored);
			ck_assert(stored || len + 400 > sizes[i]);
		}
		shared_dict_flush_all(d);
		shared_dict_flush_expired(d, 0, 1);
		ck_assert_uint_eq(shared_dict_free_space(d), sizes[i]);
		shared_dict_put(d);
	}
}
END_TEST

/* One shard: exactly the order of use. */
START_TEST(the_least_used_goes_first)
{
	struct shared_dict *d = shared_dict_get("order", 12 << 10);
	static char text[1000];
	char room[32];

	for (unsigned n = 0; n < 30; n++) {
		ck_assert(set(d, key_of(room, "k", n), text, sizeof(text)));
		ck_assert(has(d, SLICE("k0"), 1));
		/* Nobody asks for the others before they must be gone. */
		if (n >= 12)
			ck_assert(!has(d, key_of(room, "k", n - 11), 1));
	}
	unsigned left = 0;
	for (unsigned n = 20; n < 30; n++) {
		bool there = has(d, key_of(room, "k", n), 1);
		ck_assert(there || left == 0);
		left += there;
	}
	ck_assert_uint_ge(left, 8);
	shared_dict_put(d);
}
END_TEST

/* A list that fills the dictionary is not pushed out for its own elements. */
START_TEST(a_list_does_not_make_room_for_itself)
{
	struct shared_dict *d = shared_dict_get("list", 12 << 10);
	struct shared_value v = text_of("0123456789", 10);
	size_t len = 0, last = 0;

	ck_assert(set(d, SLICE("other"), "v", 1));
	while (shared_dict_push(d, SLICE("l"), false, &v, 1, &len) == SHARED_OK) {
		ck_assert_uint_eq(len, last + 1);
		last = len;
	}
	ck_assert_uint_gt(last, 50);
	ck_assert(!has(d, SLICE("other"), 1));
	ck_assert_int_eq(shared_dict_len(d, SLICE("l"), 1, &len), SHARED_OK);
	ck_assert_uint_eq(len, last);
	struct shared_value out;
	for (; last > 0; last--) {
		ck_assert_int_eq(shared_dict_pop(d, SLICE("l"), last % 2, 1, &out), SHARED_OK);
		shared_value_release(&out);
	}
	ck_assert_int_eq(shared_dict_pop(d, SLICE("l"), true, 1, &out), SHARED_NOT_FOUND);
	ck_assert_uint_eq(shared_dict_free_space(d), 12 << 10);
	shared_dict_put(d);
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 4000 };

struct worker {
	struct shared_dict *d;
	unsigned seed;
	uint64_t pushed, popped;
};

static unsigned next(struct worker *w, unsigned below)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % below;
}

static void use_list(struct worker *w)
{
	struct shared_value v = {.type = SHARED_NUMBER, .number = 1};
	size_t len;

	if (shared_dict_push(w->d, SLICE("list"), next(w, 2), &v, 1, &len) == SHARED_OK)
		w->pushed++;
	if (next(w, 2) && shared_dict_pop(w->d, SLICE("list"), next(w, 2), 1, &v) == SHARED_OK) {
		w->popped++;
		shared_value_release(&v);
	}
}

static void *count_and_queue(void *arg)
{
	struct worker *w = arg;
	double zero = 0;
	bool forced;

	for (unsigned i = 0; i < ROUNDS; i++) {
		double one = 1;
		ck_assert_int_eq(
		        shared_dict_incr(w->d, SLICE("n"), &one, &zero, 0, 1, &forced), SHARED_OK);
		use_list(w);
	}
	return NULL;
}

/* Nothing is lost between threads that count and queue. */
START_TEST(operations_are_atomic)
{
	struct shared_dict *d = shared_dict_get("atomic", 8 << 20);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	uint64_t pushed = 0, popped = 0;
	size_t len;

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.d = d, .seed = i};
		ck_assert_int_eq(
		        pthread_create(&threads[i], NULL, count_and_queue, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		pushed += workers[i].pushed;
		popped += workers[i].popped;
	}
	struct shared_value v;
	ck_assert_int_eq(shared_dict_find(d, SLICE("n"), false, 1, &v), SHARED_OK);
	ck_assert_double_eq(v.number, THREADS * ROUNDS);
	ck_assert_uint_eq(pushed, THREADS * ROUNDS);
	ck_assert_int_eq(shared_dict_len(d, SLICE("list"), 1, &len), SHARED_OK);
	ck_assert_uint_eq(len, pushed - popped);
	shared_dict_put(d);
}
END_TEST

/* A value is its key's text, some number of times: anything else was torn. */
static void check_whole(const struct shared_value *v, struct slice key)
{
	if (v->type != SHARED_STRING)
		return;
	for (size_t at = 0; at < v->text.len; at += key.len)
		ck_assert_int_eq(memcmp(v->text.at + at, key.at, key.len), 0);
}

static void store_one(struct worker *w, struct slice key, uint64_t now)
{
	char text[2000];
	struct shared_value v = text_of(text, 0);
	unsigned times = next(w, 60);
	bool forced;

	for (unsigned i = 0; i < times; i++, v.text.len += key.len)
		memcpy(text + v.text.len, key.at, key.len);
	if (next(w, 8) == 0)
		v.type = SHARED_NIL;
	else if (next(w, 4) == 0)
		v.type = SHARED_BOOL;
	shared_dict_store(w->d, next(w, 8), key, &v, next(w, 2) ? 0 : now + 5, now, &forced);
}

static void any_operation(struct worker *w, struct slice key, uint64_t now)
{
	struct shared_value v = {0};
	struct shared_keys keys = {0};
	double one = 1, zero = 0;
	size_t len;
	bool forced;

	switch (next(w, 16)) {
	case 0:
		shared_dict_incr(w->d, key, &one, next(w, 2) ? &zero : NULL, 0, now, &forced);
		break;
	case 1:
		shared_dict_expire(w->d, key, now + next(w, 3));
		break;
	case 2:
		shared_dict_flush_expired(w->d, next(w, 5), now);
		break;
	case 3:
		shared_dict_keys(w->d, 20, now, &keys);
		shared_keys_release(&keys);
		break;
	case 4:
		v = (struct shared_value){.type = SHARED_STRING, .text = key};
		shared_dict_push(w->d, key, true, &v, now, &len);
		break;
	case 5:
		if (shared_dict_pop(w->d, key, true, now, &v) == SHARED_OK)
			check_whole(&v, key);
		shared_value_release(&v);
		break;
	case 6:
		if (next(w, 200) == 0)
			shared_dict_flush_all(w->d);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		if (shared_dict_find(w->d, key, next(w, 2), now, &v) == SHARED_OK)
			check_whole(&v, key);
		shared_value_release(&v);
		break;
	default:
		store_one(w, key, now);
	}
}

static void *crowd(void *arg)
{
	struct worker *w = arg;
	char room[32];

	for (unsigned i = 0; i < ROUNDS; i++) {
		/* Keys of one length, so that texts tell them apart. */
		any_operation(w, key_of(room, "key", 100 + next(w, 300)), 10 + i);
		ck_assert_uint_le(shared_dict_free_space(w->d), shared_dict_size(w->d));
	}
	return NULL;
}

START_TEST(a_crowd_in_little_room_breaks_nothing)
{
	static const size_t sizes[] = {12 << 10, 600 << 10, 2 << 20};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct shared_dict *d = shared_dict_get("crowd", sizes[s]);
		struct worker workers[THREADS];
		pthread_t threads[THREADS];
		for (unsigned i = 0; i < THREADS; i++) {
			workers[i] = (struct worker){.d = d, .seed = i + 10};
			ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd, &workers[i]), 0);
		}
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		shared_dict_flush_all(d);
		shared_dict_flush_expired(d, 0, UINT64_MAX);
		ck_assert_uint_eq(shared_dict_free_space(d), sizes[s]);
		shared_dict_put(d);
	}
}
END_TEST

/* Taking and giving back one name, as VMs of several workers do. */
static void *come_and_go(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 500; i++) {
		struct shared_dict *d =
		        shared_dict_get("visited", i % 50 == 0 ? 12 << 10 : 16 << 10);
		set(d, SLICE("k"), "v", 1);
		if (i % 3 == 0)
			shared_dict_use(d);
		shared_dict_put(d);
	}
	return NULL;
}

START_TEST(names_come_and_go)
{
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_shared_dict");
	TCase *tc = tcase_create("shared_dict");
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_name_is_one_dictionary);
	tcase_add_test(tc, what_was_found_stays_while_it_is_held);
	tcase_add_test(tc, the_size_is_never_passed);
	tcase_add_test(tc, the_least_used_goes_first);
	tcase_add_test(tc, a_list_does_not_make_room_for_itself);
	tcase_add_test(tc, operations_are_atomic);
	tcase_add_test(tc, a_crowd_in_little_room_breaks_nothing);
	tcase_add_test(tc, names_come_and_go);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
