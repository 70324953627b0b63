/* SPDX-License-Identifier: BSD-2-Clause */

/* What scripts send in a turn, of several connections that share the worker's buffer. */

#include "lua/output.h"

#include "lua/thread.h"
#include "lua/worker.h"
#include "net/sim.h"
#include "net/worker.h"
#include "suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUTS = 3, BIG = 3 * LUA_OUT_SIZE };

static struct worker *worker;
static struct lua_worker lw;
static struct stream *stream[OUTPUTS];
static struct lua_output out[OUTPUTS];
static char *text;

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	(void)s, (void)buf, (void)len;
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	struct lua_output *o = s->owner;
	if (end == STREAM_ERROR)
		lua_output_on_end(o, error);
}

static void on_drain(struct stream *s)
{
	lua_output_on_drain(s->owner);
}

static const struct stream_events events = {
        .on_data = on_data, .on_end = on_end, .on_drain = on_drain};

static void setup(void)
{
	worker = worker_new(0);
	lua_worker_init(&lw, worker);
	lw.out.bytes = malloc(LUA_OUT_SIZE); /* exactly: a byte too many is seen */
	for (int i = 0; i < OUTPUTS; i++) {
		stream[i] = sim_new(worker);
		stream[i]->events = &events;
		stream[i]->owner = &out[i];
		out[i] = (struct lua_output){.worker = &lw, .stream = stream[i]};
	}
	text = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		text[i] = (char)('a' + i % 26);
}

static void teardown(void)
{
	for (int i = 0; i < OUTPUTS; i++) {
		lua_output_fini(&out[i]);
		stream_free(stream[i], true);
		sim_free(stream[i]);
	}
	worker_free_retired(worker);
	free(lw.out.bytes);
	lw.out.bytes = NULL;
	lua_worker_fini(&lw);
	worker_free(worker);
	free(text);
}

static bool put(int i, size_t len)
{
	struct slice v[3] = {
	        slice_of(text, len / 2), SLICE(""), slice_of(text + len / 2, len - len / 2)};
	return lua_output_put(&out[i], v, 3);
}

static void expect_sent(int i, size_t len)
{
	struct slice sent = sim_sent(stream[i]);
	ck_assert_uint_eq(sent.len, len);
	if (len > 0)
		ck_assert(memcmp(sent.at, text, len) == 0);
	sim_take(stream[i], len);
}

START_TEST(nothing_leaves_before_the_turn_ends)
{
	ck_assert(put(0, 10));
	expect_sent(0, 0);
	lua_worker_turn_end(&lw);
	expect_sent(0, 10);
	lua_worker_turn_end(&lw);
	expect_sent(0, 0);
}
END_TEST

START_TEST(sizes_around_the_buffers)
{
	static const size_t sizes[] = {0, 1, 2, LUA_OUT_SIZE / 2 - 1, LUA_OUT_SIZE / 2,
	        LUA_OUT_SIZE / 2 + 1, LUA_OUT_SIZE - 1, LUA_OUT_SIZE, LUA_OUT_SIZE + 1, BIG};
	enum { N = sizeof sizes / sizeof sizes[0] };
	for (size_t i = 0; i < N; i++) {
		for (size_t j = 0; j < N; j++) {
			for (size_t k = 0; k < N; k++) {
				size_t all = sizes[i] + sizes[j] + sizes[k];
				ck_assert(put(0, sizes[i]) && put(0, sizes[j]) && put(0, sizes[k]));
				lua_output_flush(&out[0]);
				ck_assert_uint_eq(sim_sent(stream[0]).len, all);
				sim_take(stream[0], all);
			}
		}
	}
}
END_TEST

/* Another's output takes the buffer over; of neither a byte is lost, doubled, or the other's. */
START_TEST(connections_take_turns)
{
	for (int i = 0; i < 100; i++) {
		ck_assert(put(0, 100) && put(1, 200) && put(0, 0) && put(2, 300));
		lua_worker_turn_end(&lw);
		expect_sent(0, 100);
		expect_sent(1, 200);
		expect_sent(2, 300);
	}
}
END_TEST

static unsigned drains;

static void drained(struct lua_output *o)
{
	(void)o;
	drains++;
}

START_TEST(a_peer_that_takes_nothing)
{
	struct lua_wait wait = {0};
	stream_set_marks(stream[0], 1000, 500);
	sim_set_window(stream[0], 0);
	ck_assert(put(0, 999));
	ck_assert(!lua_output_is_over(&out[0]));
	ck_assert(put(0, 1));
	ck_assert(lua_output_is_over(&out[0]));
	ck_assert(!lua_output_is_empty(&out[0]));
	out[0].writer = &wait;
	out[0].drained = drained;
	drains = 0;
	sim_set_window(stream[0], 400);
	worker_turn(worker, 0);
	ck_assert_uint_eq(drains, 0);
	sim_set_window(stream[0], SIZE_MAX);
	worker_turn(worker, 0);
	ck_assert_uint_ge(drains, 1);
	ck_assert(lua_output_is_empty(&out[0]) && !lua_output_is_over(&out[0]));
	out[0].writer = NULL;
}
END_TEST

START_TEST(a_connection_that_fails)
{
	sim_fail_sends(stream[0], ECONNRESET);
	ck_assert(put(0, 10) && put(1, 20));
	lua_worker_turn_end(&lw);
	ck_assert_int_eq(out[0].error, ECONNRESET);
	ck_assert(!put(0, 10));
	ck_assert(!lua_output_is_over(&out[0]) && lua_output_is_empty(&out[0]));
	expect_sent(1, 20);
	worker_turn(worker, 0);
	ck_assert_ptr_null(out[0].stream);
	ck_assert(!put(0, 10));
	out[0].stream = stream[0];
}
END_TEST

/* What is collected for one that goes is nobody else's. */
START_TEST(one_that_goes_takes_its_bytes_along)
{
	ck_assert(put(0, 10));
	lua_output_fini(&out[0]);
	ck_assert(put(1, 20));
	lua_worker_turn_end(&lw);
	expect_sent(0, 0);
	expect_sent(1, 20);
	ck_assert(put(1, 5));
	lua_output_on_end(&out[1], 0);
	ck_assert(put(2, 30));
	lua_worker_turn_end(&lw);
	expect_sent(1, 0);
	expect_sent(2, 30);
	ck_assert_int_eq(out[1].error, EPIPE);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {nothing_leaves_before_the_turn_ends, sizes_around_the_buffers,
	        connections_take_turns, a_peer_that_takes_nothing, a_connection_that_fails,
	        one_that_goes_takes_its_bytes_along};
	return suite_run("lua_output", tests, sizeof tests / sizeof tests[0], setup, teardown);
}
