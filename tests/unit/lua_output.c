/* SPDX-License-Identifier: BSD-2-Clause */

/* What scripts send in a turn, of several connections that share the worker's buffer. */

#include "lua/output.h"

#include "endpoint/endpoint.h"
#include "lua/thread.h"
#include "lua/worker.h"
#include "net/sim.h"
#include "net/worker.h"
#include "proxy/session.h"
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

/* ---- clients that are served one behind the other ---- */

static const struct endpoint_events no_events;
static struct proxy proxy;
static struct session session[OUTPUTS];
static struct endpoint ep;
static struct stream *other; /* a client of a script, which is served next */

/* All outputs are of clients. */
static void crowd(void)
{
	ck_assert(endpoint_worker_new(worker, &no_events));
	worker->layer[WORKER_LUA] = &lw;
	other = sim_new(worker);
	endpoint_init(&ep, ENDPOINT_CLIENT);
	endpoint_attach(&ep, other);
	endpoint_raw(&ep);
	worker->next = other;
	lw.late.bytes = malloc(LUA_LATE_SIZE);
	for (int i = 0; i < OUTPUTS; i++) {
		session[i] = (struct session){.proxy = &proxy};
		out[i].session = &session[i];
	}
}

static void disperse(void)
{
	endpoint_close(&ep, true);
	sim_free(other);
	endpoint_worker_free(worker);
	worker_turn(worker, 0);
	worker->layer[WORKER_LUA] = NULL;
	ck_assert_uint_eq(lw.late.n, 0);
	free(lw.late.bytes);
	lw.late.bytes = NULL;
}

START_TEST(clients_of_one_moment_are_answered_together)
{
	crowd();
	for (int i = 0; i < 2; i++) {
		ck_assert(put(i, 10 + (size_t)i));
		lua_worker_turn_end(&lw);
		expect_sent(i, 0);
	}
	worker->next = NULL;
	ck_assert(put(2, 12));
	lua_worker_turn_end(&lw);
	for (int i = 0; i < OUTPUTS; i++) {
		expect_sent(i, 10 + (size_t)i);
		ck_assert_uint_eq(session[i].bytes[UPSTREAM], 10 + (uint64_t)i);
	}
	disperse();
}
END_TEST

/* Whoever was to be served next had nothing for a script. */
START_TEST(nothing_is_kept_behind_the_events)
{
	crowd();
	ck_assert(put(0, 10));
	lua_worker_turn_end(&lw);
	expect_sent(0, 0);
	worker_turn(worker, 0);
	expect_sent(0, 10);
	ck_assert_ptr_null(worker->next);
	disperse();
}
END_TEST

static void expect_at_once(void)
{
	ck_assert(put(0, 10));
	lua_worker_turn_end(&lw);
	expect_sent(0, 10);
}

static void expect_later(void)
{
	ck_assert(put(0, 10));
	lua_worker_turn_end(&lw);
	expect_sent(0, 0);
	lua_output_flush(&out[0]);
	expect_sent(0, 10);
}

START_TEST(who_is_answered_at_once)
{
	static const uint16_t flags[] = {
	        STREAM_PAUSED, STREAM_EOF_SEEN, STREAM_FAILED, STREAM_RELEASED};
	crowd();
	expect_later();
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		other->flags |= flags[i]; /* the next one is not read */
		expect_at_once();
		other->flags &= (uint16_t)~flags[i];
	}
	endpoint_await(&ep); /* nor by a script */
	expect_at_once();
	endpoint_raw(&ep);
	worker->next = stream[1]; /* no client at all */
	expect_at_once();
	worker->next = other;
	lw.looked_ms = lw.began_ms + 1; /* a script that took its time */
	expect_at_once();
	lw.looked_ms = lw.began_ms;
	out[0].session = NULL; /* a cosocket */
	expect_at_once();
	out[0].session = &session[0];
	expect_later();
	disperse();
}
END_TEST

/* One that took its time also ends the waiting of those before it. */
START_TEST(a_long_run_sends_what_waits)
{
	crowd();
	ck_assert(put(0, 10));
	lua_worker_turn_end(&lw);
	expect_sent(0, 0);
	lw.looked_ms = lw.began_ms + 1;
	lua_worker_turn_end(&lw);
	expect_sent(0, 10);
	lw.looked_ms = lw.began_ms;
	disperse();
}
END_TEST

START_TEST(sizes_around_what_is_put_aside)
{
	static const size_t sizes[] = {1, 255, 256, 257, 1000};
	crowd();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		ck_assert(put(0, sizes[i]));
		lua_worker_turn_end(&lw);
		expect_sent(0, sizes[i] > 256 ? sizes[i] : 0);
		lua_output_flush(&out[0]);
		expect_sent(0, sizes[i] > 256 ? 0 : sizes[i]);
	}
	disperse();
}
END_TEST

/* More parts, or bytes, than there is room for: the full ones leave. */
START_TEST(more_than_can_be_put_aside)
{
	enum { MANY = 2 * LUA_LATE_MAX + 3 };
	static const size_t sizes[] = {1, 200, 256};
	static struct lua_output more[MANY];
	struct stream *peer[MANY];
	crowd();
	for (int i = 0; i < MANY; i++) {
		peer[i] = sim_new(worker);
		more[i] = (struct lua_output){
		        .worker = &lw, .stream = peer[i], .session = &session[0]};
	}
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		struct slice v = slice_of(text, sizes[s]);
		for (int i = 0; i < MANY; i++) {
			ck_assert(lua_output_put(&more[i], &v, 1));
			lua_worker_turn_end(&lw);
			ck_assert_uint_le(lw.late.n, LUA_LATE_MAX);
		}
		ck_assert_uint_eq(sim_sent(peer[0]).len, sizes[s]);
		ck_assert_uint_eq(sim_sent(peer[MANY - 1]).len, 0);
		lua_output_flush(&more[MANY - 1]);
		for (int i = 0; i < MANY; i++) {
			ck_assert_uint_eq(sim_sent(peer[i]).len, sizes[s]);
			ck_assert(memcmp(sim_sent(peer[i]).at, text, sizes[s]) == 0);
			sim_take(peer[i], sizes[s]);
		}
	}
	for (int i = 0; i < MANY; i++) {
		lua_output_fini(&more[i]);
		stream_free(peer[i], true);
		sim_free(peer[i]);
	}
	disperse();
}
END_TEST

/* Each way on leads through what was put aside. */
START_TEST(the_order_of_one_client)
{
	crowd();
	for (int way = 0; way < 4; way++) {
		size_t more = way == 3 ? BIG : 100;
		ck_assert(put(0, 10));
		lua_worker_turn_end(&lw);
		expect_sent(0, 0);
		if (way == 2)
			text[0] = '#';
		ck_assert(put(0, more));
		if (way == 0)
			lua_worker_turn_end(&lw);
		else if (way == 1)
			lua_output_flush(&out[0]);
		else if (way == 2)
			lua_output_fini(&out[1]), ck_assert(lua_output_is_empty(&out[0]));
		struct slice sent = sim_sent(stream[0]);
		ck_assert_uint_eq(sent.len, 10 + more);
		ck_assert_int_eq(sent.at[0], 'a');
		ck_assert_int_eq(sent.at[9], 'j');
		ck_assert_int_eq(sent.at[10], text[0]);
		sim_take(stream[0], sent.len);
		text[0] = 'a';
	}
	disperse();
}
END_TEST

START_TEST(what_is_put_aside_counts)
{
	crowd();
	stream_set_marks(stream[0], 100, 50);
	sim_set_window(stream[0], 0);
	ck_assert(put(0, 60));
	lua_worker_turn_end(&lw);
	ck_assert(put(0, 39) && !lua_output_is_over(&out[0]));
	ck_assert(put(0, 1) && lua_output_is_over(&out[0]));
	ck_assert_uint_eq(stream[0]->out.bytes, 100);
	ck_assert(put(0, 10)); /* behind a queue nothing is */
	lua_worker_turn_end(&lw);
	ck_assert_uint_eq(stream[0]->out.bytes, 110);
	sim_set_window(stream[0], SIZE_MAX);
	disperse();
}
END_TEST

/* A script is done: what it sent before leaves. The connection has failed: it does not. */
START_TEST(what_is_put_aside_at_an_end)
{
	crowd();
	for (int i = 0; i < 2; i++) {
		ck_assert(put(i, 10));
		lua_worker_turn_end(&lw);
	}
	lua_output_on_end(&out[1], ECONNRESET);
	lua_output_fini(&out[0]);
	expect_sent(0, 10);
	expect_sent(1, 0);
	ck_assert_uint_eq(out[0].late + out[1].late, 0);
	out[0].stream = stream[0];
	sim_fail_sends(stream[0], ECONNRESET);
	ck_assert(put(0, 10) && put(2, 20));
	lua_worker_turn_end(&lw);
	lua_output_flush(&out[2]);
	expect_sent(2, 20);
	ck_assert(!put(0, 1));
	disperse();
}
END_TEST

int main(void)
{
	const TTest *tests[] = {nothing_leaves_before_the_turn_ends, sizes_around_the_buffers,
	        connections_take_turns, a_peer_that_takes_nothing, a_connection_that_fails,
	        one_that_goes_takes_its_bytes_along, clients_of_one_moment_are_answered_together,
	        nothing_is_kept_behind_the_events, who_is_answered_at_once,
	        a_long_run_sends_what_waits, sizes_around_what_is_put_aside,
	        more_than_can_be_put_aside, the_order_of_one_client, what_is_put_aside_counts,
	        what_is_put_aside_at_an_end};
	return suite_run("lua_output", tests, sizeof tests / sizeof tests[0], setup, teardown);
}
