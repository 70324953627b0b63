/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/wheel.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* A naive model beside the wheel: every timer's deadline in an array, and what must
 * have fired after an advance. */

enum { N = 200 };

static struct wheel wheel;
static struct timer timers[N];
static uint64_t deadline[N]; /* the model's; 0 = not set */
static uint64_t last_fired;  /* deadline of the last timer fired in this advance */
static uint64_t target;      /* where the advance goes */
static unsigned fired;
static bool reset_in_callback;
static uint64_t rng;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

/* Deadlines of all sizes: some in the past, some years ahead. */
static uint64_t some_deadline(uint64_t now)
{
	unsigned bits = (unsigned)(rnd() % 40);
	uint64_t ahead = rnd() & ((UINT64_C(1) << bits) - 1);
	if (rnd() % 8 == 0)
		return now > ahead ? now - ahead : 1;
	return now + ahead;
}

static void set(unsigned i, uint64_t when)
{
	deadline[i] = when ? when : 1;
	timer_set(&wheel, &timers[i], when);
}

static void clear(unsigned i)
{
	deadline[i] = 0;
	timer_clear(&wheel, &timers[i]);
}

static void on_fire(struct timer *t)
{
	unsigned i = (unsigned)(t - timers);
	ck_assert(!timer_is_set(t));
	ck_assert_uint_ne(deadline[i], 0);
	ck_assert_uint_le(deadline[i], target);
	/* In order; a deadline that had passed when it was set may come first. */
	if (deadline[i] == wheel.now_ms) {
		ck_assert_uint_ge(deadline[i], last_fired);
		last_fired = deadline[i];
	}
	deadline[i] = 0;
	fired++;
	if (!reset_in_callback)
		return;
	switch (rnd() % 4) {
	case 0:
		set(i, some_deadline(wheel.now_ms));
		break;
	case 1:
		clear((unsigned)(rnd() % N));
		break;
	case 2:
		set((unsigned)(rnd() % N), some_deadline(target));
		break;
	default:
		break;
	}
}

static uint64_t earliest(void)
{
	uint64_t min = UINT64_MAX;
	for (unsigned i = 0; i < N; i++)
		if (deadline[i] && deadline[i] < min)
			min = deadline[i];
	return min;
}

static void start(uint64_t now)
{
	wheel_init(&wheel, now);
	for (unsigned i = 0; i < N; i++) {
		timer_init(&timers[i], on_fire);
		deadline[i] = 0;
	}
	fired = 0;
	reset_in_callback = false;
}

static void advance(uint64_t now)
{
	target = now;
	last_fired = 0;
	wheel_advance(&wheel, now);
	ck_assert_uint_eq(wheel.now_ms, now);
}

/* One assertion for all: each of Check's costs a system call. */
static bool is_as_modelled(void)
{
	bool ok = true;
	for (unsigned i = 0; i < N; i++)
		ok &= timers[i].deadline_ms == deadline[i] &&
		      timer_is_set(&timers[i]) == (deadline[i] != 0);
	/* The bitmaps say which slots hold something. */
	for (unsigned l = 0; l < WHEEL_LEVELS; l++)
		for (unsigned i = 0; i < WHEEL_SLOTS; i++)
			ok &= (wheel.occupied[l] >> i & 1) == !list_is_empty(&wheel.slot[l][i]);
	return ok;
}

static void check(void)
{
	ck_assert(is_as_modelled());
	/* Never later than the first deadline; with none, never. */
	uint64_t min = earliest(), next = wheel_next(&wheel);
	ck_assert_uint_ge(next, wheel.now_ms);
	if (min == UINT64_MAX)
		ck_assert_uint_eq(next, UINT64_MAX);
	else
		ck_assert_uint_le(next, min > wheel.now_ms ? min : wheel.now_ms);
}

START_TEST(agrees_with_a_naive_model)
{
	static const uint64_t begin[] = {0, 1, 63, 64, 4095, (UINT64_C(1) << 36) - 3,
	        (UINT64_C(1) << 30) - 1, UINT64_C(1) << 50, 1234567890123};
	rng = 88172645463325252u + (uint64_t)_i * 7919;
	start(begin[(size_t)_i % (sizeof(begin) / sizeof(begin[0]))]);
	for (unsigned round = 0; round < 600; round++) {
		for (unsigned k = (unsigned)(rnd() % 8); k > 0; k--) {
			unsigned i = (unsigned)(rnd() % N);
			if (rnd() % 4)
				set(i, some_deadline(wheel.now_ms));
			else
				clear(i);
		}
		check();
		uint64_t step = rnd() & ((UINT64_C(1) << rnd() % 38) - 1);
		uint64_t first = earliest();
		/* Often exactly to, or just before, the first deadline. */
		if (first != UINT64_MAX && first > wheel.now_ms + 1 && rnd() % 2)
			step = first - wheel.now_ms - rnd() % 2;
		advance(wheel.now_ms + step);
		ck_assert_uint_gt(earliest(), wheel.now_ms);
		check();
	}
}
END_TEST

START_TEST(callbacks_may_do_anything)
{
	rng = 362436069u + (uint64_t)_i * 104729;
	start((uint64_t)_i * 1000003);
	reset_in_callback = true;
	for (unsigned round = 0; round < 600; round++) {
		for (unsigned k = 0; k < 4; k++)
			set((unsigned)(rnd() % N), some_deadline(wheel.now_ms));
		advance(wheel.now_ms + (rnd() & ((UINT64_C(1) << rnd() % 30) - 1)));
		check();
		/* What a callback set to a time that had passed waits for the next advance. */
		ck_assert(earliest() > wheel.now_ms || wheel_next(&wheel) == wheel.now_ms);
	}
}
END_TEST

START_TEST(the_past_fires_at_the_next_advance)
{
	start(1000);
	set(0, 0);
	set(1, 999);
	set(2, 1000);
	set(3, 1001);
	ck_assert_uint_eq(wheel_next(&wheel), 1000);
	advance(1000);
	ck_assert_uint_eq(fired, 3);
	ck_assert_uint_eq(wheel_next(&wheel), 1001);
	advance(1001);
	ck_assert_uint_eq(fired, 4);
	/* Time that stands still or goes back is harmless. */
	target = 1001;
	set(0, 1000);
	wheel_advance(&wheel, 500);
	ck_assert_uint_eq(fired, 5);
	ck_assert_uint_eq(wheel.now_ms, 1001);
}
END_TEST

/* A timer that sets itself to now in each call does not keep an advance going. */
static void again(struct timer *t)
{
	fired++;
	timer_set(&wheel, t, wheel.now_ms);
}

START_TEST(a_timer_that_is_always_due_does_not_hang)
{
	struct timer t;
	start(77);
	timer_init(&t, again);
	timer_set(&wheel, &t, 78);
	wheel_advance(&wheel, 100000000);
	ck_assert_uint_eq(fired, 1);
	wheel_advance(&wheel, 100000000);
	ck_assert_uint_eq(fired, 2);
	timer_clear(&wheel, &t);
	ck_assert_uint_eq(wheel_next(&wheel), UINT64_MAX);
}
END_TEST

/* Steps that the wheel takes through a jump, counted by its wake-ups. */
START_TEST(a_jump_visits_occupied_slots_only)
{
	start(5);
	set(0, 5 + UINT64_C(30) * 365 * 86400 * 1000); /* beyond the last level */
	unsigned steps = 0;
	while (earliest() != UINT64_MAX) {
		uint64_t next = wheel_next(&wheel);
		ck_assert_uint_lt(next, UINT64_MAX);
		ck_assert_uint_gt(next, wheel.now_ms);
		advance(next);
		ck_assert_uint_lt(++steps, 64);
	}
	ck_assert_uint_eq(fired, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/wheel");
	TCase *t = tcase_create("wheel");
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, agrees_with_a_naive_model, 0, 18);
	tcase_add_loop_test(t, callbacks_may_do_anything, 0, 10);
	tcase_add_test(t, the_past_fires_at_the_next_advance);
	tcase_add_test(t, a_timer_that_is_always_due_does_not_hang);
	tcase_add_test(t, a_jump_visits_occupied_slots_only);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
