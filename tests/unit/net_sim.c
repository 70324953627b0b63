/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/sim.h"
#include "net_tap.h"

#include <errno.h>

static struct worker *w;
static struct stream *far;
static struct tap tap;

static void setup(void)
{
	w = worker_new(0);
	far = sim_new(w);
	tap_init(&tap, far);
}

static void teardown(void)
{
	tap_free(&tap);
	sim_free(far);
	worker_free(w);
}

START_TEST(pushes_are_delivered_at_once)
{
	uint8_t *all = malloc(WORKER_RX_SIZE);
	memset(all, 'a', WORKER_RX_SIZE);
	ck_assert(sim_push(far, "one", 3));
	ck_assert(sim_push(far, "", 0));
	ck_assert_uint_eq(tap.datas, 1);
	tap_has(&tap, "one");
	ck_assert(sim_push(far, all, WORKER_RX_SIZE));
	ck_assert_uint_eq(tap.len, 3 + WORKER_RX_SIZE);
	ck_assert_mem_eq(tap.bytes + 3, all, WORKER_RX_SIZE);
	free(all);
	tap.pause_in = TAP_DATA;
	ck_assert(sim_push(far, "x", 1));
	ck_assert(!sim_push(far, "y", 1));
	tap.pause_in = TAP_NONE;
	stream_resume(far);
	ck_assert(sim_push(far, "y", 1));
	sim_push_eof(far);
	sim_push_eof(far);
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert(!sim_push(far, "z", 1));
}
END_TEST

START_TEST(windows)
{
	sim_set_window(far, 4);
	tap_send_text(&tap, "abc");
	tap_send_text(&tap, "def");
	ck_assert(slice_equal(sim_sent(far), SLICE("abcd")));
	sim_take(far, 1);
	ck_assert(slice_equal(sim_sent(far), SLICE("bcd")));
	sim_take(far, 3);
	ck_assert_uint_eq(sim_sent(far).len, 0);
	sim_set_window(far, 1);
	worker_turn(w, 0);
	ck_assert(slice_equal(sim_sent(far), SLICE("e")));
	sim_set_window(far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert(slice_equal(sim_sent(far), SLICE("ef")));
	ck_assert(tap_send(&tap, "", 0));
}
END_TEST

START_TEST(a_queue_of_many_chunks)
{
	size_t len = 100000;
	uint8_t *big = malloc(len);
	for (size_t i = 0; i < len; i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	sim_set_window(far, 10);
	tap_send(&tap, big, len);
	ck_assert_uint_eq(far->out.bytes, len - 10);
	while (!queue_is_empty(&far->out)) {
		sim_set_window(far, 6007);
		worker_turn(w, 0);
	}
	ck_assert_uint_eq(sim_sent(far).len, len);
	ck_assert_mem_eq(sim_sent(far).at, big, len);
	ck_assert_uint_eq(tap.drains, 1);
	free(big);
}
END_TEST

START_TEST(sends_that_fail)
{
	sim_set_window(far, 1);
	tap_send_text(&tap, "ab");
	sim_fail_sends(far, EPIPE);
	if (_i == 0) {
		ck_assert(!tap_send_text(&tap, "cd"));
	} else {
		sim_set_window(far, 5);
		worker_turn(w, 0);
	}
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_int_eq(tap.error, EPIPE);
	ck_assert(slice_equal(sim_sent(far), SLICE("a")));
}
END_TEST

START_TEST(the_far_end_outlives_the_release)
{
	bool reset = false;
	tap_send_text(&tap, "last words");
	ck_assert(!sim_is_released(far, &reset));
	stream_free(tap.stream, true);
	tap.stream = NULL;
	worker_turn(w, 0);
	ck_assert(sim_is_released(far, &reset));
	ck_assert(reset);
	ck_assert(slice_equal(sim_sent(far), SLICE("last words")));
	sim_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/sim");
	TCase *t = tcase_create("sim");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pushes_are_delivered_at_once);
	tcase_add_test(t, windows);
	tcase_add_test(t, a_queue_of_many_chunks);
	tcase_add_loop_test(t, sends_that_fail, 0, 2);
	tcase_add_test(t, the_far_end_outlives_the_release);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
