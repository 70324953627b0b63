/* SPDX-License-Identifier: BSD-2-Clause */

/* What all streams share: marks, drains, the order of what the owner is told. On
 * simulated streams. */

#include "base/fault.h"
#include "net/sim.h"
#include "net_tap.h"

#include <errno.h>

static struct worker *w;
static struct stream *far; /* the same stream, as the far end sees it */
static struct tap tap;

static void setup(void)
{
	w = worker_new(0);
	far = sim_new(w);
	tap_init(&tap, far);
}

static void teardown(void)
{
	fault_plan(NULL);
	tap_free(&tap);
	worker_turn(w, 0);
	sim_free(far);
	ck_assert_uint_eq(w->chunks.used, 0);
	worker_free(w);
}

START_TEST(a_queue_that_becomes_empty_drains)
{
	sim_set_window(far, 3);
	ck_assert(tap_send_text(&tap, "abcdef"));
	ck_assert_uint_eq(far->out.bytes, 3);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 0);
	/* What comes later waits behind it, though the window would take it. */
	sim_set_window(far, 2);
	ck_assert(tap_send_text(&tap, "gh"));
	ck_assert_uint_eq(far->out.bytes, 5);
	worker_turn(w, 0);
	ck_assert_uint_eq(far->out.bytes, 3);
	ck_assert_uint_eq(tap.drains, 0);
	sim_set_window(far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 1);
	ck_assert(slice_equal(sim_sent(far), SLICE("abcdefgh")));
	/* A send that is taken whole drains nothing. */
	ck_assert(tap_send_text(&tap, "i"));
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 1);
}
END_TEST

START_TEST(marks)
{
	uint8_t block[1000];
	memset(block, 'm', sizeof(block));
	stream_set_marks(far, 2000, 1000);
	sim_set_window(far, 0);
	ck_assert(tap_send(&tap, block, 1000));
	ck_assert(!stream_is_over(far));
	ck_assert(tap_send(&tap, block, 1000));
	ck_assert(stream_is_over(far));
	sim_set_window(far, 1000);
	worker_turn(w, 0);
	ck_assert(!stream_is_over(far));
	ck_assert_uint_eq(tap.drains, 0); /* at the low mark is not under it */
	sim_set_window(far, 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 1);
	sim_set_window(far, 100);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 1);
	/* Marks that are lowered to what is queued already. */
	stream_set_marks(far, 500, 400);
	ck_assert(stream_is_over(far));
	sim_set_window(far, 600);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 2);
	sim_set_window(far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 3);
	ck_assert_uint_eq(sim_sent(far).len, 2000);
}
END_TEST

/* Makes memory short by what has to be promised for that, and not short again. */
static void make_short(bool is_on)
{
	budget_set(is_on ? 64 << 20 : 0);
	budget_promise(is_on ? 60 << 20 : -(60 << 20));
	budget_settle();
	ck_assert_int_eq(budget_is_short(), is_on);
}

START_TEST(while_memory_is_short_nothing_is_piled_up)
{
	uint8_t block[1000];
	memset(block, 'm', sizeof(block));
	stream_set_marks(far, 2000, 1000);
	make_short(true);
	ck_assert(!stream_is_over(far));
	sim_set_window(far, 999);
	ck_assert(tap_send(&tap, block, 1000));
	ck_assert(stream_is_over(far));
	ck_assert(tap_send(&tap, block, 1000));
	/* Under the low mark is not enough. */
	sim_set_window(far, 1000);
	worker_turn(w, 0);
	ck_assert_uint_eq(far->out.bytes, 1);
	ck_assert_uint_eq(tap.drains, 0);
	sim_set_window(far, 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 1);
	/* It is, when there is memory again. */
	sim_set_window(far, 0);
	ck_assert(tap_send(&tap, block, 1000));
	ck_assert(stream_is_over(far));
	make_short(false);
	ck_assert(!stream_is_over(far));
	sim_set_window(far, 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.drains, 2);
}
END_TEST

/* Each stream has a promise, which what it queues uses up. */
START_TEST(promises)
{
	enum { ALL = STREAM_CHUNKS * CHUNK_SIZE };
	static uint8_t block[4 * CHUNK_SIZE];
	uint64_t others = budget_promised() - ALL;
	struct stream *second = sim_new(w);
	struct tap two;
	tap_init(&two, second);
	ck_assert_uint_eq(budget_promised(), others + 2 * ALL);
	sim_set_window(far, 0);
	ck_assert(tap_send(&tap, block, 1));
	ck_assert_uint_eq(budget_promised(), others + 2 * ALL - CHUNK_SIZE);
	ck_assert(tap_send(&tap, block, CHUNK_SIZE - 17));
	ck_assert_uint_eq(budget_promised(), others + 2 * ALL - CHUNK_SIZE);
	ck_assert(tap_send(&tap, block, 1));
	ck_assert_uint_eq(budget_promised(), others + ALL);
	ck_assert(tap_send(&tap, block, sizeof(block)));
	ck_assert_uint_eq(budget_promised(), others + ALL);
	sim_set_window(far, sizeof(block) - CHUNK_SIZE);
	worker_turn(w, 0);
	ck_assert_uint_eq(budget_promised(), others + ALL);
	sim_set_window(far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert_uint_eq(budget_promised(), others + 2 * ALL);
	/* However it ends. */
	sim_set_window(far, 0);
	sim_set_window(second, 0);
	ck_assert(tap_send(&tap, block, 5000));
	ck_assert(tap_send(&two, block, 100));
	sim_push_error(second, ECONNRESET);
	worker_turn(w, 0);
	ck_assert_uint_eq(budget_promised(), others + ALL);
	tap_free(&two);
	ck_assert_uint_eq(budget_promised(), others);
	tap_free(&tap);
	ck_assert_uint_eq(budget_promised(), others);
	worker_turn(w, 0);
	sim_free(second);
}
END_TEST

/* With the budget used up by others. */
START_TEST(what_was_promised_is_kept)
{
	static uint8_t block[STREAM_SHORT_READ];
	sim_set_window(far, 0);
	budget_promise(1 << 20);
	budget_settle();
	budget_set(budget_taken() + budget_promised());
	ck_assert(!budget_has(1));
	ck_assert(budget_is_short());
	ck_assert(tap_send(&tap, block, sizeof(block)));
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.errors, 0);
	ck_assert_uint_eq(far->out.bytes, sizeof(block));
	budget_set(0);
	budget_promise(-(1 << 20));
}
END_TEST

START_TEST(progress)
{
	worker_set_time(w, w->now_ms + 5000);
	sim_set_window(far, 0);
	tap_send_text(&tap, "abc");
	uint32_t begin = (uint32_t)(w->now_ms / 1000);
	ck_assert_uint_eq(far->progress_s, begin);
	worker_set_time(w, w->now_ms + 5000);
	tap_send_text(&tap, "def"); /* no progress */
	ck_assert_uint_eq(far->progress_s, begin);
	sim_set_window(far, 1);
	worker_turn(w, 0);
	ck_assert_uint_eq(far->progress_s, begin + 5);
}
END_TEST

START_TEST(memory_that_is_short_fails_the_stream)
{
	sim_set_window(far, 1);
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert(!tap_send_text(&tap, "abc"));
	ck_assert(!tap_send_text(&tap, "abc"));
	ck_assert_uint_eq(tap.errors, 0);
	ck_assert(peer_has_closed(far));
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_int_eq(tap.error, ENOMEM);
	worker_turn(w, 0);
	ck_assert(!sim_push(far, "x", 1));
	ck_assert(slice_equal(sim_sent(far), SLICE("a")));
}
END_TEST

START_TEST(queued_bytes_are_gone_after_a_failure)
{
	sim_set_window(far, 0);
	tap_send_text(&tap, "abc");
	stream_fail(far, ECONNRESET);
	stream_fail(far, EPIPE); /* the first counts */
	ck_assert_uint_eq(w->chunks.used, 0);
	ck_assert(!stream_is_over(far));
	stream_shutdown(far);
	sim_set_window(far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert_int_eq(tap.error, ECONNRESET);
	ck_assert_uint_eq(tap.drains, 0);
	ck_assert_uint_eq(sim_sent(far).len, 0);
}
END_TEST

START_TEST(eof_waits_for_the_resume_and_an_error_does_not)
{
	stream_pause(far);
	ck_assert(!sim_push(far, "x", 1));
	sim_push_eof(far);
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.eofs, 0);
	ck_assert(peer_has_closed(far));
	stream_resume(far);
	stream_resume(far);
	ck_assert_uint_eq(tap.eofs, 0); /* not within the call */
	worker_turn(w, 0);
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert(tap_send_text(&tap, "still"));
	stream_pause(far);
	sim_push_error(far, ETIMEDOUT);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_int_eq(tap.error, ETIMEDOUT);
}
END_TEST

START_TEST(shutdown_waits_for_the_queue)
{
	sim_set_window(far, 2);
	tap_send_text(&tap, "abcd");
	stream_shutdown(far);
	ck_assert(!sim_saw_shutdown(far));
	ck_assert(!tap_send_text(&tap, "late"));
	worker_turn(w, 0);
	ck_assert(!sim_saw_shutdown(far));
	sim_set_window(far, SIZE_MAX);
	worker_turn(w, 0);
	ck_assert(sim_saw_shutdown(far));
	ck_assert(slice_equal(sim_sent(far), SLICE("abcd")));
	ck_assert(sim_push(far, "back", 4));
	tap_has(&tap, "back");
}
END_TEST

/* Freed in each of its callbacks. */
START_TEST(freed_inside_a_callback)
{
	tap.free_in = (enum tap_call)_i;
	sim_set_window(far, 1);
	tap_send_text(&tap, "ab");
	if (_i == TAP_DRAIN)
		sim_set_window(far, SIZE_MAX);
	else if (_i == TAP_EOF)
		sim_push_eof(far);
	else if (_i == TAP_ERROR)
		sim_push_error(far, ECONNRESET);
	else
		sim_push(far, "x", 1);
	worker_turn(w, 0);
	ck_assert_ptr_null(tap.stream);
	ck_assert(sim_is_released(far, NULL));
	ck_assert(!sim_push(far, "x", 1));
	sim_push_eof(far);
	sim_push_error(far, EIO);
	worker_turn(w, 0);
}
END_TEST

/* A stream that stays ready does not keep others, or the turn, waiting. */
static unsigned woken;
static void wake_again(struct stream *s)
{
	woken++;
	if (woken < 10)
		stream_make_ready(s);
}
static void release_nothing(struct stream *s, bool reset)
{
	(void)s, (void)reset;
}

START_TEST(each_turn_serves_a_ready_stream_once)
{
	static const struct stream_ops ops = {.wake = wake_again, .release = release_nothing};
	struct stream s;
	stream_init(&s, &ops, w);
	woken = 0;
	stream_make_ready(&s);
	stream_make_ready(&s);
	worker_turn(w, -1);
	ck_assert_uint_eq(woken, 1);
	worker_turn(w, -1);
	ck_assert_uint_eq(woken, 2);
	stream_free(&s, false);
	worker_turn(w, 0);
	ck_assert_uint_eq(woken, 2);
	stream_free(NULL, false);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/stream");
	TCase *t = tcase_create("stream");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_queue_that_becomes_empty_drains);
	tcase_add_test(t, marks);
	tcase_add_test(t, while_memory_is_short_nothing_is_piled_up);
	tcase_add_test(t, promises);
	tcase_add_test(t, what_was_promised_is_kept);
	tcase_add_test(t, progress);
	tcase_add_test(t, memory_that_is_short_fails_the_stream);
	tcase_add_test(t, queued_bytes_are_gone_after_a_failure);
	tcase_add_test(t, eof_waits_for_the_resume_and_an_error_does_not);
	tcase_add_test(t, shutdown_waits_for_the_queue);
	tcase_add_loop_test(t, freed_inside_a_callback, TAP_DATA, TAP_DRAIN + 1);
	tcase_add_test(t, each_turn_serves_a_ready_stream_once);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
