/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

/* The end of both connections after both closes went: the client sees TCP end first,
 * the upstream is waited for. */
static void ends_politely(void)
{
	ck_assert(sim_saw_shutdown(t.client));
	if (!sim_is_released(t.up, NULL))
		ck_assert(!sim_saw_shutdown(t.up));
	ck_assert_uint_eq(sessions(), 1);
	sim_push_eof(t.up);
	ck_assert(has_ended(t.up));
	sim_push_eof(t.client);
	ck_assert(has_ended(t.client));
	pair_is_over();
	count_is(timeout_close, 0);
}

START_TEST(client_closes_first)
{
	pair_open();
	say_close(FROM_CLIENT, 1000, "bye");
	static struct text b;
	b.len = 0;
	text_close(&b, FROM_CLIENT, 1000, "bye");
	got(t.up, text_slice(&b));
	got_nothing(t.client);
	ck_assert(!sim_saw_shutdown(t.client));
	say_close(FROM_UPSTREAM, 1000, "");
	got_close(t.client, 1000, "");
	got_nothing(t.up);
	ends_politely();
	log_is("session_end", "closed_by=client", "cause=close", "client_code=1000",
	        "upstream_code=1000");
	count_is(closed_normally, 1);
}
END_TEST

START_TEST(upstream_closes_first)
{
	pair_open();
	say_close(FROM_UPSTREAM, 4999, "over");
	got_close(t.client, 4999, "over");
	ck_assert(!sim_saw_shutdown(t.client));
	say_close(FROM_CLIENT, 3000, "");
	got_close(t.up, 3000, "");
	ends_politely();
	log_is("closed_by=upstream", "cause=close", "client_code=3000", "upstream_code=4999");
	count_is(closed_normally, 1);
}
END_TEST

/* C-07 */
START_TEST(both_close_at_once)
{
	pair_open();
	say_close(FROM_CLIENT, 1000, "c");
	say_close(FROM_UPSTREAM, 1001, "u");
	got_close(t.up, 1000, "c");
	got_close(t.client, 1001, "u");
	ends_politely();
	log_is("cause=close");
}
END_TEST

/* C-01 */
START_TEST(close_without_a_code)
{
	pair_open();
	say_close(FROM_CLIENT, 0, "");
	got_close(t.up, 0, "");
	pass(5000);
	got_close(t.client, 0, "");
	sim_push_eof(t.client);
	pair_is_over();
	log_is("client_code=0");
}
END_TEST

/* C-03, C-04: the upstream never answers */
START_TEST(close_of_the_client_is_never_answered)
{
	pair_open();
	say_close(FROM_CLIENT, 3001, "bye");
	got_close(t.up, 3001, "bye");
	pass(4999);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "still talking");
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "still talking");
	ck_assert(!sim_saw_shutdown(t.client));
	pass(1);
	got_close(t.client, 3001, "");
	ck_assert(sim_saw_shutdown(t.client));
	ck_assert(sim_is_released(t.up, NULL));
	count_is(timeout_close, 1);
	pass(4999);
	ck_assert_uint_eq(sessions(), 1);
	pass(1);
	pair_is_over();
	count_is(timeout_close, 1);
	log_is("closed_by=client", "cause=close");
}
END_TEST

START_TEST(close_of_the_upstream_is_never_answered)
{
	pair_open();
	say_close(FROM_UPSTREAM, 1012, "");
	got_close(t.client, 1012, "");
	pass(4999);
	ck_assert(say(FROM_CLIENT, FIN | WS_TEXT, "still talking"));
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "still talking");
	pass(1);
	got_close(t.up, 1012, "");
	ck_assert(sim_is_released(t.client, NULL));
	ck_assert(!sim_is_released(t.up, NULL));
	sim_push_eof(t.up);
	pair_is_over();
	log_is("closed_by=upstream");
	count_is(timeout_close, 1);
}
END_TEST

START_TEST(close_is_answered_by_an_end)
{
	pair_open();
	if (_i == 0) {
		say_close(FROM_CLIENT, 1000, "x");
		got_close(t.up, 1000, "x");
		sim_push_eof(t.up);
		got_close(t.client, 1000, "");
		ck_assert(has_ended(t.up));
		ck_assert(sim_saw_shutdown(t.client));
		sim_push_eof(t.client);
	} else {
		say_close(FROM_UPSTREAM, 1000, "x");
		got_close(t.client, 1000, "x");
		sim_push_eof(t.client);
		got_close(t.up, 1000, "");
		ck_assert(has_ended(t.client));
		sim_push_eof(t.up);
	}
	pair_is_over();
	log_is("cause=close");
	count_is(closed_by_client_end, 0);
	count_is(closed_by_upstream_end, 0);
}
END_TEST

/* A close and the end behind it, before the other side could answer. */
START_TEST(close_then_end_at_once)
{
	pair_open();
	if (_i == 0) {
		say_close(FROM_CLIENT, 1000, "");
		sim_push_eof(t.client);
		got_close(t.up, 1000, "");
		ck_assert(!sim_is_released(t.client, NULL));
		say_close(FROM_UPSTREAM, 1000, "");
		got_close(t.client, 1000, "");
		ck_assert(has_ended(t.client));
		sim_push_eof(t.up);
	} else {
		say_close(FROM_UPSTREAM, 1000, "");
		sim_push_eof(t.up);
		got_close(t.client, 1000, "");
		say_close(FROM_CLIENT, 1000, "");
		got_close(t.up, 1000, "");
		ck_assert(has_ended(t.up));
		sim_push_eof(t.client);
	}
	pair_is_over();
	log_is("cause=close");
	count_is(closed_normally, 1);
}
END_TEST

START_TEST(close_then_reset)
{
	pair_open();
	say_close(FROM_CLIENT, 1000, "");
	sim_push_error(t.client, ECONNRESET);
	got_close(t.up, 1000, "");
	ck_assert(sim_is_released(t.client, NULL));
	say_close(FROM_UPSTREAM, 1000, "");
	sim_push_eof(t.up);
	pair_is_over();
	log_is("cause=close");
}
END_TEST

/* C-05, C-06 */
START_TEST(what_follows_a_close_is_thrown_away)
{
	pair_open();
	static struct text b;
	b.len = 0;
	text_close(&b, FROM_CLIENT, 1000, "");
	size_t n = b.len;
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "late", 4);
	text_close(&b, FROM_CLIENT, 1001, "");
	text_add(&b, "\xff\xff\xff", 3);
	push(t.client, text_slice(&b));
	b.len = n;
	got(t.up, text_slice(&b));
	say(FROM_CLIENT, FIN | WS_TEXT, "later");
	say_close(FROM_CLIENT, 1001, "");
	got_nothing(t.up);
	say_close(FROM_UPSTREAM, 1000, "");
	say(FROM_UPSTREAM, FIN | WS_TEXT, "later");
	got_close(t.client, 1000, "");
	ends_politely();
	count_is(broken_by_client, 0);
}
END_TEST

/* C-08 */
START_TEST(client_vanishes)
{
	pair_open();
	if (_i == 0)
		sim_push_eof(t.client);
	else
		sim_push_error(t.client, ECONNRESET);
	got_close(t.up, 1001, "client lost");
	ck_assert(_i == 0 ? has_ended(t.client) : sim_is_released(t.client, NULL));
	say(FROM_UPSTREAM, FIN | WS_TEXT, "too late");
	say_close(FROM_UPSTREAM, 1001, "");
	got_nothing(t.up);
	sim_push_eof(t.up);
	pair_is_over();
	log_is("closed_by=client", _i == 0 ? "cause=vanished" : "cause=error");
	count_is(closed_by_client_end, 1);
	count_is(closed_normally, 0);
}
END_TEST

START_TEST(upstream_vanishes)
{
	pair_open();
	if (_i == 0)
		sim_push_eof(t.up);
	else
		sim_push_error(t.up, ECONNRESET);
	got_close(t.client, 1011, "upstream lost");
	ck_assert(sim_is_released(t.up, NULL));
	ck_assert(!sim_saw_shutdown(t.client));
	say_close(FROM_CLIENT, 1011, "");
	ck_assert(sim_saw_shutdown(t.client));
	sim_push_eof(t.client);
	pair_is_over();
	log_is("closed_by=upstream", _i == 0 ? "cause=vanished" : "cause=error");
	count_is(closed_by_upstream_end, 1);
}
END_TEST

START_TEST(a_vanished_sides_last_words_arrive)
{
	pair_open();
	sim_set_window(t.client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "last");
	sim_push_error(t.up, ECONNRESET);
	got_nothing(t.client);
	sim_set_window(t.client, SIZE_MAX);
	turn();
	uint8_t words[126];
	struct ws_frame f = take_frame(t.client, words, sizeof words);
	ck_assert_uint_eq(f.opcode, WS_TEXT);
	got_close(t.client, 1011, "upstream lost");
}
END_TEST

/* U-03 */
START_TEST(both_vanish)
{
	pair_open();
	sim_push_error(_i ? t.up : t.client, ECONNRESET);
	sim_push_error(_i ? t.client : t.up, ECONNRESET);
	pair_is_over();
	log_is("session_end");
	ck_assert_uint_eq(counter_get(&t.proxy->counters.closed_by_client_end) +
	                          counter_get(&t.proxy->counters.closed_by_upstream_end),
	        1);
}
END_TEST

static const struct {
	unsigned first;
	const char *payload;
	unsigned code;
} violations[] = {
        {FIN | 3, "", 1002},
        {FIN | WS_CONTINUATION, "", 1002},
        {FIN | WS_TEXT, "\xff", 1007},
        {FIN | WS_CLOSE, "\x03\xed", 1002},
        {FIN | WS_CLOSE, "\x03\xe8\xff", 1007},
        {WS_PING, "", 1002},
};

START_TEST(client_breaks_the_protocol)
{
	pair_open();
	say(FROM_CLIENT, violations[_i].first, violations[_i].payload);
	uint8_t body[126];
	take_frame(t.client, body, sizeof body);
	ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], violations[_i].code);
	got_nothing(t.client);
	ck_assert(sim_saw_shutdown(t.client));
	got_close(t.up, 1001, "client broke the protocol");
	say(FROM_CLIENT, FIN | WS_TEXT, "more");
	say(FROM_UPSTREAM, FIN | WS_TEXT, "more");
	got_nothing(t.client);
	say_close(FROM_UPSTREAM, 1001, "");
	got_nothing(t.client);
	ends_politely();
	log_is("closed_by=client", "cause=protocol", "reason=");
	count_is(broken_by_client, 1);
}
END_TEST

START_TEST(upstream_breaks_the_protocol)
{
	pair_open();
	say(FROM_UPSTREAM, violations[_i].first, violations[_i].payload);
	uint8_t body[126];
	take_frame(t.up, body, sizeof body);
	ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], violations[_i].code);
	got_nothing(t.up);
	got_close(t.client, 1011, "upstream broke the protocol");
	say_close(FROM_CLIENT, 1011, "");
	ends_politely();
	log_is("closed_by=upstream", "cause=protocol", "reason=");
	count_is(broken_by_upstream, 1);
}
END_TEST

/* F-08: fault that the limits find */
START_TEST(too_long_a_message)
{
	t.route->settings.limits.max_message = 4;
	pair_open();
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_CLIENT, WS_TEXT, "123", 3);
	size_t n = b.len;
	text_frame(&b, FROM_CLIENT, FIN | WS_CONTINUATION, "45", 2);
	push(t.client, text_slice(&b));
	uint8_t body[126];
	take_frame(t.client, body, sizeof body);
	ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], 1009);
	ck_assert_uint_ge(sim_sent(t.up).len, n);
	ck_assert_mem_eq(sim_sent(t.up).at, b.at, n);
	sim_take(t.up, n);
	got_close(t.up, 1001, "client broke the protocol");
}
END_TEST

/* ---- half a frame ---- */

/* Half a frame of `from`: 10 bytes of 100. */
static void half_frame(int from)
{
	static struct text b;
	static const char payload[100];
	b.len = 0;
	text_frame(&b, from, FIN | WS_BINARY, payload, 100);
	push(far_end(from), slice_of(b.at, b.len - 90));
	ck_assert_uint_eq(sim_sent(far_end(from ^ 1)).len, b.len - 90);
	sim_take(far_end(from ^ 1), b.len - 90);
}

static void other_half(int from)
{
	static struct text b;
	static const char payload[100];
	b.len = 0;
	text_frame(&b, from, FIN | WS_BINARY, payload, 100);
	push(far_end(from), slice_of(b.at + b.len - 90, 90));
}

START_TEST(source_of_half_a_frame_vanishes)
{
	int from = _i & 1;
	pair_open();
	half_frame(from);
	if (_i & 2)
		sim_push_eof(far_end(from));
	else
		sim_push_error(far_end(from), ECONNRESET);
	got_nothing(far_end(from ^ 1));
	ck_assert(has_reset(far_end(from ^ 1)));
	pair_is_over();
	log_is("cut=mid_frame", from == FROM_CLIENT ? "closed_by=client" : "closed_by=upstream");
	count_is(cut_mid_frame, 1);
}
END_TEST

START_TEST(reset_after_what_is_queued)
{
	pair_open();
	sim_set_window(t.up, 0);
	static struct text b;
	b.len = 0;
	static const char payload[100];
	text_frame(&b, FROM_CLIENT, FIN | WS_BINARY, payload, 100);
	push(t.client, slice_of(b.at, 50));
	sim_push_eof(t.client);
	ck_assert(!sim_is_released(t.up, NULL));
	sim_set_window(t.up, SIZE_MAX);
	turn();
	ck_assert(has_reset(t.up));
	got(t.up, slice_of(b.at, 50));
	pair_is_over();
}
END_TEST

START_TEST(half_a_frame_turns_out_broken)
{
	int from = _i;
	pair_open();
	static struct text b;
	b.len = 0;
	text_frame(&b, from, WS_TEXT, "abcd", 4);
	push(far_end(from), slice_of(b.at, b.len - 2));
	sim_take(far_end(from ^ 1), b.len - 2);
	push(far_end(from), SLICE("\xc1\xc1\xc1\xc1"));
	got_nothing(far_end(from ^ 1));
	ck_assert(has_reset(far_end(from ^ 1)));
	uint8_t body[126];
	take_frame(far_end(from), body, sizeof body);
	ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], 1007);
	count_is(cut_mid_frame, 1);
}
END_TEST

/* Moongate's own close waits for the end of the half-sent frame. */
START_TEST(own_close_waits_for_the_frame)
{
	int from = _i;
	pair_open();
	half_frame(from);
	session_stop(t.session);
	got_nothing(far_end(from ^ 1));
	got_close(far_end(from), 1001, "stopping");
	other_half(from);
	ck_assert_uint_ge(sim_sent(far_end(from ^ 1)).len, 90);
	sim_take(far_end(from ^ 1), 90);
	got_close(far_end(from ^ 1), 1001, "stopping");
	say(from, FIN | WS_TEXT, "late");
	got_nothing(far_end(from ^ 1));
	say_close(FROM_CLIENT, 1001, "");
	say_close(FROM_UPSTREAM, 1001, "");
	ends_politely();
	log_is("closed_by=proxy", "cause=stopping", "code=1001");
	count_is(cut_mid_frame, 0);
	count_is(drained, 1);
}
END_TEST

/* ... also when every read ends within a frame. */
START_TEST(own_close_finds_the_border_inside_a_read)
{
	int from = _i;
	pair_open();
	half_frame(from);
	session_stop(t.session);
	got_close(far_end(from), 1001, "stopping");
	static struct text b;
	b.len = 0;
	static const char payload[100];
	text_frame(&b, from, FIN | WS_BINARY, payload, 100);
	size_t n = b.len;
	text_frame(&b, from, FIN | WS_BINARY, payload, 100);
	push(far_end(from), slice_of(b.at + n - 90, 130));
	sim_take(far_end(from ^ 1), 90);
	got_close(far_end(from ^ 1), 1001, "stopping");
	push(far_end(from), slice_of(b.at + n + 40, b.len - n - 40));
	got_nothing(far_end(from ^ 1));
}
END_TEST

START_TEST(frame_never_ends_after_an_own_close)
{
	int from = _i;
	pair_open();
	half_frame(from);
	session_stop(t.session);
	pass(5000);
	got_nothing(far_end(from ^ 1));
	ck_assert(has_reset(far_end(from ^ 1)));
	pair_is_over();
	count_is(cut_mid_frame, 1);
	count_is(timeout_close, 1);
	log_is("cause=stopping", "cut=mid_frame");
}
END_TEST

/* The violator's close waits for the frame that is half sent to it. */
START_TEST(violator_is_told_behind_the_frame)
{
	int from = _i;
	pair_open();
	half_frame(from ^ 1);
	say(from, FIN | 3, "");
	got_nothing(far_end(from));
	if (from == FROM_CLIENT)
		got_close(t.up, 1001, "client broke the protocol");
	else
		got_close(t.client, 1011, "upstream broke the protocol");
	say(from, FIN | WS_TEXT, "more");
	other_half(from ^ 1);
	sim_take(far_end(from), 90);
	uint8_t body[126];
	take_frame(far_end(from), body, sizeof body);
	ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], 1002);
	got_nothing(far_end(from));
	say_close(from ^ 1, 1001, "");
	ends_politely();
	log_is("cause=protocol", "code=1002");
}
END_TEST

/* One side breaks the protocol in the middle of its frame while a frame to it is half
 * sent: neither frame can end any more, so neither side waits. */
START_TEST(both_half_sent_and_one_breaks)
{
	int from = _i;
	pair_open();
	half_frame(from ^ 1);
	static struct text b;
	b.len = 0;
	text_frame(&b, from, WS_TEXT, "abcd", 4);
	push(far_end(from), slice_of(b.at, b.len - 2));
	push(far_end(from), SLICE("\xc1\xc1\xc1\xc1"));
	ck_assert(has_reset(t.client));
	ck_assert(has_reset(t.up));
	pair_is_over();
	count_is(cut_mid_frame, 2);
	log_is("cause=protocol", "cut=mid_frame");
}
END_TEST

START_TEST(close_of_a_peer_passes_beside_half_a_frame)
{
	int from = _i;
	pair_open();
	half_frame(from);
	say_close(from ^ 1, 1000, "");
	got_close(far_end(from), 1000, "");
	other_half(from);
	sim_take(far_end(from ^ 1), 90);
	say_close(from, 1000, "");
	got_close(far_end(from ^ 1), 1000, "");
	ends_politely();
}
END_TEST

/* A close that is never answered because its answerer stays inside a frame. */
START_TEST(answerer_stays_inside_a_frame)
{
	int from = _i;
	pair_open();
	half_frame(from);
	say_close(from ^ 1, 1000, "");
	pass(5000);
	got_nothing(far_end(from ^ 1));
	ck_assert(has_reset(far_end(from ^ 1)));
	pair_is_over();
	log_is("cause=close", "cut=mid_frame");
	count_is(cut_mid_frame, 1);
}
END_TEST

/* ---- own closes ---- */

START_TEST(own_close_and_late_data)
{
	pair_open();
	session_stop(t.session);
	got_close(t.client, 1001, "stopping");
	got_close(t.up, 1001, "stopping");
	say(FROM_CLIENT, FIN | WS_TEXT, "late");
	say(FROM_UPSTREAM, FIN | WS_TEXT, "late");
	say(FROM_UPSTREAM, FIN | WS_PING, "p");
	say(FROM_CLIENT, FIN | WS_PING, "p");
	got_nothing(t.client);
	got_nothing(t.up);
	session_stop(t.session);
	say_close(FROM_UPSTREAM, 1001, "");
	got_nothing(t.client);
	say_close(FROM_CLIENT, 1001, "");
	got_nothing(t.up);
	ends_politely();
	log_is("cause=stopping");
	count_is(drained, 1);
}
END_TEST

START_TEST(own_close_is_answered_by_ends)
{
	pair_open();
	session_stop(t.session);
	sim_push_eof(_i ? t.client : t.up);
	sim_push_eof(_i ? t.up : t.client);
	ck_assert(has_ended(t.client) && has_ended(t.up));
	pair_is_over();
	log_is("cause=stopping");
	count_is(closed_by_client_end, 0);
	count_is(closed_by_upstream_end, 0);
}
END_TEST

START_TEST(own_close_is_never_answered)
{
	pair_open();
	session_stop(t.session);
	pass(4999);
	ck_assert_uint_eq(sessions(), 1);
	pass(1);
	pair_is_over();
	ck_assert(has_ended(t.client) && has_ended(t.up));
	count_is(timeout_close, 1);
	log_is("cause=stopping");
}
END_TEST

/* What cannot be taken by a peer is lost at the deadline, and the peer sees it. */
START_TEST(queue_at_the_deadline)
{
	pair_open();
	sim_set_window(t.client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	session_stop(t.session);
	pass(5000);
	ck_assert(has_reset(t.client));
	pair_is_over();
}
END_TEST

/* A closed client that is slow gets all, then the end. */
START_TEST(queue_before_the_end)
{
	pair_open();
	sim_set_window(t.client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	say_close(FROM_UPSTREAM, 1000, "");
	say_close(FROM_CLIENT, 1000, "");
	sim_push_eof(t.client);
	sim_push_eof(t.up);
	ck_assert(!sim_is_released(t.client, NULL));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	uint8_t words[126];
	take_frame(t.client, words, sizeof words);
	got_close(t.client, 1000, "");
	ck_assert(has_ended(t.client));
	pair_is_over();
}
END_TEST

/* C-10: what was read is delivered although the reader is slow and the source reset. */
START_TEST(send_fails_at_every_point)
{
	for (int at = 0; at < 6; at++) {
		pair_open();
		struct stream *broken = _i ? t.client : t.up;
		if (at == 0)
			sim_fail_sends(broken, EPIPE);
		say(FROM_CLIENT, FIN | WS_TEXT, "a");
		say(FROM_UPSTREAM, FIN | WS_TEXT, "b");
		if (at == 1)
			sim_fail_sends(broken, EPIPE);
		say(FROM_UPSTREAM, FIN | WS_PING, "c");
		say(FROM_CLIENT, FIN | WS_PONG, "c");
		if (at == 2)
			sim_fail_sends(broken, EPIPE);
		say_close(_i ? FROM_UPSTREAM : FROM_CLIENT, 1000, "");
		if (at == 3)
			sim_fail_sends(broken, EPIPE);
		if (!sim_is_released(broken, NULL))
			say_close(_i ? FROM_CLIENT : FROM_UPSTREAM, 1000, "");
		turn();
		if (at == 4)
			session_stop(t.session);
		if (at <= 2)
			ck_assert(sim_is_released(broken, NULL));
		pass(5000);
		pass(5000);
		ck_assert_uint_eq(sessions(), 0);
		log_is("session_end");
		pair_forget();
	}
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, client_closes_first);
	tcase_add_test(c, upstream_closes_first);
	tcase_add_test(c, both_close_at_once);
	tcase_add_test(c, close_without_a_code);
	tcase_add_test(c, close_of_the_client_is_never_answered);
	tcase_add_test(c, close_of_the_upstream_is_never_answered);
	tcase_add_loop_test(c, close_is_answered_by_an_end, 0, 2);
	tcase_add_loop_test(c, close_then_end_at_once, 0, 2);
	tcase_add_test(c, close_then_reset);
	tcase_add_test(c, what_follows_a_close_is_thrown_away);
	tcase_add_loop_test(c, client_vanishes, 0, 2);
	tcase_add_loop_test(c, upstream_vanishes, 0, 2);
	tcase_add_test(c, a_vanished_sides_last_words_arrive);
	tcase_add_loop_test(c, both_vanish, 0, 2);
	tcase_add_loop_test(c, client_breaks_the_protocol, 0, 6);
	tcase_add_loop_test(c, upstream_breaks_the_protocol, 0, 6);
	tcase_add_test(c, too_long_a_message);
	tcase_add_loop_test(c, source_of_half_a_frame_vanishes, 0, 4);
	tcase_add_test(c, reset_after_what_is_queued);
	tcase_add_loop_test(c, half_a_frame_turns_out_broken, 0, 2);
	tcase_add_loop_test(c, own_close_waits_for_the_frame, 0, 2);
	tcase_add_loop_test(c, own_close_finds_the_border_inside_a_read, 0, 2);
	tcase_add_loop_test(c, frame_never_ends_after_an_own_close, 0, 2);
	tcase_add_loop_test(c, violator_is_told_behind_the_frame, 0, 2);
	tcase_add_loop_test(c, both_half_sent_and_one_breaks, 0, 2);
	tcase_add_loop_test(c, close_of_a_peer_passes_beside_half_a_frame, 0, 2);
	tcase_add_loop_test(c, answerer_stays_inside_a_frame, 0, 2);
	tcase_add_test(c, own_close_and_late_data);
	tcase_add_loop_test(c, own_close_is_answered_by_ends, 0, 2);
	tcase_add_test(c, own_close_is_never_answered);
	tcase_add_test(c, queue_at_the_deadline);
	tcase_add_test(c, queue_before_the_end);
	tcase_add_loop_test(c, send_fails_at_every_point, 0, 2);
}

int main(void)
{
	return pair_main("proxy/close", add);
}
