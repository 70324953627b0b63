/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

/* ---- requests ---- */

START_TEST(nothing_is_asked)
{
	ck_assert(pair_adopt());
	pass(9999);
	ck_assert(!sim_is_released(t.client, NULL));
	pass(1);
	got_nothing(t.client);
	ck_assert(has_ended(t.client));
	pair_is_over();
	log_is("cause=silent");
	count_is(silent, 1);
	count_is(refused_408, 0);
}
END_TEST

START_TEST(half_a_head)
{
	ck_assert(pair_adopt());
	for (int i = 0; i < 9; i++) {
		pass(1000);
		push_text(t.client, i ? "x" : "G");
	}
	pass(999);
	got_nothing(t.client);
	pass(1);
	got_status(408);
	ck_assert(sim_saw_shutdown(t.client));
	pass(4999);
	ck_assert_uint_eq(sessions(), 1);
	pass(1);
	pair_is_over();
	log_is("refused", "status=408");
	count_is(refused_408, 1);
}
END_TEST

#define PLAIN "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"

START_TEST(between_requests)
{
	ck_assert(pair_adopt());
	pass(9000);
	push_text(t.client, PLAIN);
	got_status(426);
	pass(59999);
	ck_assert(!sim_is_released(t.client, NULL));
	pass(1);
	got_nothing(t.client);
	ck_assert(has_ended(t.client));
	pair_is_over();
	log_is("refused", "status=426");
	count_is(silent, 0);
}
END_TEST

START_TEST(later_request_has_its_own_time)
{
	ck_assert(pair_adopt());
	pass(9000);
	push_text(t.client, PLAIN);
	got_status(426);
	pass(50000);
	push_text(t.client, "GE");
	pass(9999);
	got_nothing(t.client);
	if (_i == 0) {
		push_text(t.client, "T /x HTTP/1.1\r\nHost: a\r\n\r\n");
		got_status(426);
		pass(59999);
		ck_assert(!sim_is_released(t.client, NULL));
	}
	pass(1);
	if (_i == 0)
		got_nothing(t.client);
	else
		got_status(408);
}
END_TEST

/* An upgrade after other requests: the upstream has the rest of the request's time. */
START_TEST(later_upgrade)
{
	ck_assert(pair_adopt());
	push_text(t.client, PLAIN);
	got_status(426);
	pass(30000);
	push_text(t.client, "G");
	pass(4000);
	push_text(t.client, &REQUEST[1]);
	pass(5999);
	got_nothing(t.client);
	if (_i == 0) {
		pair_answer();
		got_status(101);
		pass(20000);
		got_nothing(t.client);
		return;
	}
	pass(1);
	got_status(504);
}
END_TEST

/* ---- send_timeout ---- */

/* Never early, at most a second late. */
START_TEST(queue_makes_no_progress)
{
	int to = _i;
	t.route->settings.ping_interval_ms = 0;
	pair_open();
	pass(500);
	sim_set_window(far_end(to), 3);
	say(to ^ 1, FIN | WS_TEXT, "hello");
	pass(29999);
	ck_assert(!sim_is_released(far_end(to), NULL));
	sim_set_window(far_end(to), 1);
	turn();
	pass(29999);
	ck_assert(!sim_is_released(far_end(to), NULL));
	pass(1001);
	ck_assert(has_reset(far_end(to)));
	got_close(far_end(to ^ 1), 1008, "send_timeout");
	say_close(to ^ 1, 1008, "");
	sim_push_eof(far_end(to ^ 1));
	pair_is_over();
	log_is("closed_by=proxy", "cause=send_timeout", "code=1008");
	count_is(timeout_send, 1);
}
END_TEST

START_TEST(queue_makes_progress)
{
	t.route->settings.ping_interval_ms = 0;
	pair_open();
	sim_set_window(t.client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "0123456789012345678901234567890");
	for (int i = 0; i < 33; i++) {
		ck_assert(!sim_is_released(t.client, NULL));
		pass(29000);
		sim_set_window(t.client, 1);
		turn();
	}
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "0123456789012345678901234567890");
	pass(100000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}
END_TEST

/* ---- message_timeout ---- */

START_TEST(message_stays_unfinished)
{
	static struct text b;
	int from = _i & 1;
	b.len = 0;
	t.route->settings.ping_interval_ms = 0;
	pair_open();
	pass(1234);
	text_frame(&b, from, WS_TEXT, "abcd", 4);
	size_t len = _i < 2 ? b.len : _i < 4 ? b.len - 1 : 1; /* a fragment, a part, a header's */
	push(far_end(from), slice_of(b.at, len));
	sim_take(far_end(from ^ 1), sim_sent(far_end(from ^ 1)).len);
	say(from ^ 1, FIN | WS_TEXT, "x");
	sim_take(far_end(from), sim_sent(far_end(from)).len);
	pass(59999);
	got_nothing(t.client);
	got_nothing(t.up);
	pass(1);
	got_close(far_end(from), 1008, "message_timeout");
	if (len == b.len - 1)
		ck_assert(has_reset(far_end(from ^ 1)));
	else
		got_close(far_end(from ^ 1), 1008, "message_timeout");
	sim_push_eof(far_end(from));
	sim_push_eof(far_end(from ^ 1));
	pair_is_over();
	log_is("closed_by=proxy", "cause=message_timeout");
	count_is(timeout_message, 1);
}
END_TEST

START_TEST(message_ends_in_time)
{
	t.route->settings.ping_interval_ms = 0;
	pair_open();
	say(FROM_CLIENT, WS_TEXT, "abcd");
	pass(59999);
	say(FROM_CLIENT, FIN | WS_CONTINUATION, "efgh");
	pass(1);
	say(FROM_CLIENT, WS_TEXT, "abcd");
	pass(59999);
	say(FROM_CLIENT, FIN | WS_CONTINUATION, "efgh");
	pass(1000000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}
END_TEST

/* A second more for each KiB. */
START_TEST(message_allowance_grows)
{
	static char kib[1025];
	memset(kib, 'k', 1024);
	t.route->settings.ping_interval_ms = 0;
	pair_open();
	say(FROM_CLIENT, WS_TEXT, kib);
	for (int i = 0; i < 99; i++) {
		pass(1000);
		say(FROM_CLIENT, WS_CONTINUATION, kib);
	}
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	pass(60999);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	pass(1);
	sim_take(t.up, sim_sent(t.up).len);
	got_close(t.client, 1008, "message_timeout");
}
END_TEST

/* F-09: a byte a second is a trickle */
START_TEST(message_trickles)
{
	static struct text b;
	static const char payload[2000];
	b.len = 0;
	text_frame(&b, FROM_CLIENT, FIN | WS_BINARY, payload, 2000);
	t.route->settings.ping_interval_ms = 0;
	pair_open();
	for (size_t i = 0; i < 60; i++) {
		ck_assert_int_eq(t.session->state, SESSION_OPEN);
		push(t.client, slice_of(b.at + i, 1));
		pass(1000);
	}
	got_close(t.client, 1008, "message_timeout");
	ck_assert(has_reset(t.up));
}
END_TEST

/* ---- pings ---- */

/* When the first ping goes; within an eighth before the interval. */
static uint64_t first_ping(void)
{
	uint64_t start = t.worker->now_ms;
	pass(26249);
	got_nothing(t.client);
	while (sim_sent(t.client).len == 0)
		pass(1);
	uint64_t after = t.worker->now_ms - start;
	ck_assert_uint_ge(after, 26250);
	ck_assert_uint_le(after, 30000);
	return after;
}

static void answer_ping(void)
{
	uint8_t payload[17];
	got_ping(payload);
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_CLIENT, FIN | WS_PONG, payload, 16);
	push(t.client, text_slice(&b));
}

START_TEST(own_ping_and_pong)
{
	pair_open();
	uint64_t interval = first_ping();
	pass(9999);
	answer_ping();
	got_nothing(t.up);
	pass(interval - 1);
	got_nothing(t.client);
	pass(1);
	answer_ping();
	pass(1);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	count_is(pings_sent, 2);
}
END_TEST

START_TEST(pings_are_spread)
{
	uint64_t least = UINT64_MAX, most = 0;
	for (int i = 0; i < 40; i++) {
		pair_open();
		uint64_t after = first_ping();
		least = after < least ? after : least;
		most = after > most ? after : most;
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
	ck_assert_uint_gt(most - least, 3750 / 2);
}
END_TEST

START_TEST(pong_never_comes)
{
	pair_open();
	first_ping();
	uint8_t payload[17];
	got_ping(payload);
	pass(9999);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	pass(1);
	got_close(t.client, 1008, "pong_timeout");
	got_close(t.up, 1001, "pong_timeout");
	pass(5000);
	pair_is_over();
	log_is("closed_by=proxy", "cause=pong_timeout", "code=1008");
	count_is(timeout_pong, 1);
}
END_TEST

/* Any byte received counts as life, and puts the next ping off. */
START_TEST(bytes_are_life)
{
	pair_open();
	uint64_t interval = first_ping();
	uint8_t payload[17];
	got_ping(payload);
	pass(9999);
	push_text(t.client, "\x81");
	pass(interval - 1);
	got_nothing(t.client);
	pass(1);
	got_ping(payload);
	pass(10000);
	got_close(t.client, 1008, "pong_timeout");
}
END_TEST

START_TEST(activity_puts_pings_off)
{
	pair_open();
	for (int i = 0; i < 10; i++) {
		pass(26000);
		say(FROM_CLIENT, FIN | WS_TEXT, "x");
	}
	got_nothing(t.client);
	first_ping();
}
END_TEST

/* Pongs of the client that answer no own ping are the upstream's. */
START_TEST(other_pongs_pass)
{
	pair_open();
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_CLIENT, FIN | WS_PONG, "moongate", 8);
	text_frame(&b, FROM_CLIENT, FIN | WS_PONG, "moongate\0\0\0\0\0\0\0\0", 16);
	text_frame(&b, FROM_CLIENT, FIN | WS_PONG, "", 0);
	push(t.client, text_slice(&b));
	got(t.up, text_slice(&b));
}
END_TEST

/* Own pongs are taken out of whatever surrounds them, however it is cut. */
START_TEST(own_pong_among_frames)
{
	for (size_t cut = 0;; cut++) {
		static struct text b, rest;
		uint8_t payload[17];
		b.len = rest.len = 0;
		pair_open();
		first_ping();
		got_ping(payload);
		text_frame(&b, FROM_CLIENT, WS_TEXT, "one", 3);
		text_frame(&rest, FROM_CLIENT, WS_TEXT, "one", 3);
		for (int i = 0; i < 40; i++) {
			text_frame(&b, FROM_CLIENT, FIN | WS_PONG, payload, 16);
			text_frame(&b, FROM_CLIENT, FIN | WS_PING, "x", 1);
			text_frame(&rest, FROM_CLIENT, FIN | WS_PING, "x", 1);
		}
		text_frame(&b, FROM_CLIENT, FIN | WS_PONG, payload, 16);
		text_frame(&b, FROM_CLIENT, FIN | WS_CONTINUATION, "two", 3);
		text_frame(&rest, FROM_CLIENT, FIN | WS_CONTINUATION, "two", 3);
		text_frame(&b, FROM_CLIENT, FIN | WS_PONG, payload, 16);
		push(t.client, slice_of(b.at, cut));
		push(t.client, slice_of(b.at + cut, b.len - cut));
		got(t.up, text_slice(&rest));
		ck_assert_int_eq(t.session->state, SESSION_OPEN);
		proxy_abort(t.proxy);
		turn();
		pair_forget();
		if (cut == b.len)
			break;
		cut += cut > 60 && cut + 60 < b.len ? 12 : 0;
	}
}
END_TEST

/* No own ping while a forwarded one is unanswered; it stands for an own one. */
START_TEST(forwarded_ping)
{
	pair_open();
	pass(20000);
	say(FROM_UPSTREAM, FIN | WS_PING, "app");
	got_frame(FROM_UPSTREAM, FIN | WS_PING, "app");
	if (_i == 0) {
		pass(15000);
		got_nothing(t.client);
		say(FROM_CLIENT, FIN | WS_PONG, "app");
		got_frame(FROM_CLIENT, FIN | WS_PONG, "app");
		first_ping();
		return;
	}
	pass(16249);
	got_nothing(t.client);
	pass(3751);
	got_close(t.client, 1008, "pong_timeout");
	got_close(t.up, 1001, "pong_timeout");
	count_is(pings_sent, 0);
	count_is(timeout_pong, 1);
}
END_TEST

/* A ping of the client to the upstream is none of these. */
START_TEST(clients_ping)
{
	pair_open();
	say(FROM_CLIENT, FIN | WS_PING, "p");
	first_ping();
}
END_TEST

static const char hundred[100];

/* The first bytes of a frame of 100 bytes from the upstream, up to `len` of them. */
static size_t upstream_frame(size_t from, size_t len)
{
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_UPSTREAM, FIN | WS_BINARY, hundred, 100);
	push(t.up, slice_of(b.at + from, len));
	return b.len;
}

START_TEST(ping_waits_for_the_frame)
{
	uint8_t payload[17];
	pair_open();
	size_t all = upstream_frame(0, 50);
	sim_take(t.client, 50);
	pass(40000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	got_nothing(t.client);
	upstream_frame(50, all - 50);
	sim_take(t.client, all - 50);
	got_ping(payload);
	got_nothing(t.client);
	pass(9999);
	got_nothing(t.client);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	pass(1);
	got_close(t.client, 1008, "pong_timeout");
}
END_TEST

/* ... and finds its place when every read ends within a frame. */
START_TEST(ping_finds_the_border)
{
	static struct text b;
	uint8_t payload[17];
	b.len = 0;
	text_frame(&b, FROM_UPSTREAM, FIN | WS_BINARY, hundred, 100);
	text_frame(&b, FROM_UPSTREAM, FIN | WS_BINARY, hundred, 100);
	pair_open();
	push(t.up, slice_of(b.at, 50));
	pass(30000);
	push(t.up, slice_of(b.at + 50, 100));
	ck_assert_mem_eq(sim_sent(t.client).at, b.at, 102);
	sim_take(t.client, 102);
	got_ping(payload);
	ck_assert_mem_eq(sim_sent(t.client).at, b.at + 102, 48);
	push(t.up, slice_of(b.at + 150, b.len - 150));
	got(t.client, slice_of(b.at + 102, 102));
}
END_TEST

/* A client that has closed meanwhile is not asked any more. */
START_TEST(ping_that_waited_and_a_close)
{
	pair_open();
	size_t all = upstream_frame(0, 50);
	pass(30000);
	say_close(FROM_CLIENT, 1000, "");
	upstream_frame(50, all - 50);
	ck_assert_uint_eq(sim_sent(t.client).len, all);
	count_is(pings_sent, 0);
}
END_TEST

/* A client that is slow gets no pings behind its queue; once it has caught up it does. */
START_TEST(slow_client)
{
	t.route->settings.send_timeout_ms = 0;
	pair_open();
	sim_set_window(t.client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	pass(300000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	sim_set_window(t.client, SIZE_MAX);
	turn();
	got_frame(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	pass(30000);
	answer_ping();
	pass(26249);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}
END_TEST

/* ---- paused ---- */

/* While the client is not read because the upstream is slow, its clocks stand. */
START_TEST(clocks_stand_while_paused)
{
	static char big[5001];
	memset(big, 'b', 5000);
	t.route->settings.max_queue = 4096;
	t.route->settings.send_timeout_ms = 0;
	pair_open();
	say(FROM_CLIENT, WS_TEXT, "begun");
	pass(20000);
	sim_set_window(t.up, 0);
	say(FROM_CLIENT, WS_CONTINUATION, big);
	ck_assert(!say(FROM_CLIENT, FIN | WS_CONTINUATION, "x"));
	count_is(pauses, 1);
	pass(500000);
	got_nothing(t.client);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	sim_set_window(t.up, SIZE_MAX);
	turn();
	sim_take(t.up, sim_sent(t.up).len);
	/* 40 s of the message's 64 are left; before that a ping is due. */
	pass(30000);
	answer_ping();
	pass(13999);
	got_nothing(t.client);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	pass(1);
	got_close(t.client, 1008, "message_timeout");
}
END_TEST

/* ---- idle_timeout ---- */

START_TEST(idle)
{
	t.route->settings.ping_interval_ms = 0;
	t.route->settings.idle_timeout_ms = 40000;
	pair_open();
	pass(39999);
	say(_i & 1, FIN | WS_TEXT, "x");
	pass(39999);
	say(FROM_CLIENT, FIN | WS_PING, "no data");
	sim_take(t.up, sim_sent(t.up).len);
	sim_take(t.client, sim_sent(t.client).len);
	pass(1);
	got_close(t.client, 1001, "idle_timeout");
	got_close(t.up, 1001, "idle_timeout");
	pass(5000);
	pair_is_over();
	log_is("closed_by=proxy", "cause=idle_timeout", "code=1001");
	count_is(timeout_idle, 1);
}
END_TEST

START_TEST(idle_inside_a_frame)
{
	t.route->settings.ping_interval_ms = 0;
	t.route->settings.idle_timeout_ms = 40000;
	pair_open();
	size_t all = upstream_frame(0, 50);
	sim_take(t.client, 50);
	pass(40000);
	got_nothing(t.client);
	got_close(t.up, 1001, "idle_timeout");
	upstream_frame(50, all - 50);
	sim_take(t.client, all - 50);
	got_close(t.client, 1001, "idle_timeout");
}
END_TEST

/* A long message that is on its way is no idleness. */
START_TEST(long_message_is_not_idle)
{
	static char kib[1025];
	memset(kib, 'k', 1024);
	t.route->settings.ping_interval_ms = 0;
	t.route->settings.message_timeout_ms = 0;
	t.route->settings.idle_timeout_ms = 10000;
	pair_open();
	say(FROM_UPSTREAM, WS_TEXT, kib);
	for (int i = 0; i < 10; i++) {
		pass(9000);
		say(FROM_UPSTREAM, WS_CONTINUATION, kib);
	}
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}
END_TEST

/* after a long stop what the peers sent meanwhile counts before the timers do. */
START_TEST(stopped_for_a_while)
{
	pair_open();
	worker_set_time(t.worker, t.worker->now_ms + 3000000);
	say(FROM_CLIENT, FIN | WS_TEXT, "x");
	turn();
	got_nothing(t.client);
	pass(26249);
	got_nothing(t.client);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}
END_TEST

/* The upstream's connection is looked after once the session has lasted, and told so once. */
START_TEST(what_lasts_is_settled)
{
	t.route->group->socket.keepalive_ms = 60000;
	t.route->group->socket.user_timeout_ms = 30000;
	pair_open();
	pass(9999);
	ck_assert_uint_eq(sim_settles(t.up), 0);
	pass(1);
	ck_assert_uint_eq(sim_settles(t.up), 1);
	say(FROM_CLIENT, FIN | WS_TEXT, "x");
	pass(20000);
	say(FROM_CLIENT, FIN | WS_TEXT, "x");
	pass(20000);
	ck_assert_uint_eq(sim_settles(t.up), 1);
	ck_assert_uint_eq(sim_settles(t.client), 0);
}
END_TEST

START_TEST(what_ends_sooner_is_not_settled)
{
	t.route->group->socket.keepalive_ms = 30000;
	pair_open();
	pass(9998);
	sim_push_error(t.up, ECONNRESET);
	pass(20000);
	ck_assert_uint_eq(sim_settles(t.up), 0);
}
END_TEST

START_TEST(nothing_is_limited)
{
	struct route_settings *s = &t.route->settings;
	s->send_timeout_ms = s->message_timeout_ms = s->ping_interval_ms = 0;
	pair_open();
	say(FROM_CLIENT, WS_TEXT, "begun");
	sim_set_window(t.client, 0);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	ck_assert(!timer_is_set(&t.session->timer));
	pass(10000000);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
	session_stop(t.session);
	pass(5000);
	pair_is_over();
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, nothing_is_asked);
	tcase_add_test(c, what_lasts_is_settled);
	tcase_add_test(c, what_ends_sooner_is_not_settled);
	tcase_add_test(c, half_a_head);
	tcase_add_test(c, between_requests);
	tcase_add_loop_test(c, later_request_has_its_own_time, 0, 2);
	tcase_add_loop_test(c, later_upgrade, 0, 2);
	tcase_add_loop_test(c, queue_makes_no_progress, 0, 2);
	tcase_add_test(c, queue_makes_progress);
	tcase_add_loop_test(c, message_stays_unfinished, 0, 6);
	tcase_add_test(c, message_ends_in_time);
	tcase_add_test(c, message_allowance_grows);
	tcase_add_test(c, message_trickles);
	tcase_add_test(c, own_ping_and_pong);
	tcase_add_test(c, pings_are_spread);
	tcase_add_test(c, pong_never_comes);
	tcase_add_test(c, bytes_are_life);
	tcase_add_test(c, activity_puts_pings_off);
	tcase_add_test(c, other_pongs_pass);
	tcase_add_test(c, own_pong_among_frames);
	tcase_add_loop_test(c, forwarded_ping, 0, 2);
	tcase_add_test(c, clients_ping);
	tcase_add_test(c, ping_waits_for_the_frame);
	tcase_add_test(c, ping_finds_the_border);
	tcase_add_test(c, ping_that_waited_and_a_close);
	tcase_add_test(c, slow_client);
	tcase_add_test(c, clocks_stand_while_paused);
	tcase_add_loop_test(c, idle, 0, 2);
	tcase_add_test(c, idle_inside_a_frame);
	tcase_add_test(c, long_message_is_not_idle);
	tcase_add_test(c, stopped_for_a_while);
	tcase_add_test(c, nothing_is_limited);
}

int main(void)
{
	return pair_main("proxy/deadline", add);
}
