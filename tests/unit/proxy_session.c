/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy_pair.h"

/* ---- requests ---- */

static const struct {
	const char *request;
	unsigned status;
	bool goes_on;
} plain[] = {
        {"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 426, true},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 426, true},
        {"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 426, true},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n", 426, false},
        {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 426, false},
        {"POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 426,
                false},
        {"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 426, false},
        {"GET /x HTTP/1.0\r\n\r\n", 426, false},
        {"GET /%2e%2e/../x HTTP/1.1\r\nHost: a\r\n\r\n", 400, true},
        {"GET /x HTTP/1.1\r\n\r\n", 400, false},
        {"GET /x HTTP/3.1\r\nHost: a\r\n\r\n", 505, false},
        {"\x16\x03\x01\x02\x00\x01\x00", 400, false},
        {"SSH-2.0-OpenSSH_9.2\r\n", 400, false},
};

START_TEST(plain_requests)
{
	ck_assert(pair_adopt());
	push_text(t.client, plain[_i].request);
	got_status(plain[_i].status);
	ck_assert(sim_saw_shutdown(t.client) == !plain[_i].goes_on);
	char status[16];
	snprintf(status, sizeof status, "status=%u", plain[_i].status);
	ck_assert_ptr_null(t.up);
	if (plain[_i].goes_on) {
		log_is("refused", status);
		push_text(t.client, REQUEST);
		pair_answer();
		got_status(101);
		proxy_abort(t.proxy);
	} else {
		sim_push_eof(t.client);
	}
	pair_is_over();
	log_is(plain[_i].goes_on ? "session_end" : "refused", plain[_i].goes_on ? "" : status);
}
END_TEST

START_TEST(plain_requests_cut_anywhere)
{
	static const char two[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
	                          "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
	for (size_t cut = 0; cut < sizeof two; cut++) {
		ck_assert(pair_adopt());
		push(t.client, slice_of(two, cut));
		push(t.client, slice_of(two + cut, sizeof two - 1 - cut));
		struct slice have = sim_sent(t.client);
		const uint8_t *second = memmem(have.at + 1, have.len - 1, "HTTP/1.1 426", 12);
		ck_assert_ptr_nonnull(second);
		ck_assert(!sim_saw_shutdown(t.client));
		sim_push_eof(t.client);
		ck_assert(has_ended(t.client));
		turn();
		pair_forget();
	}
}
END_TEST

/* A client that asks and asks and fetches nothing. */
START_TEST(answers_that_are_not_fetched)
{
	static struct text b;
	b.len = 0;
	while (b.len < 60000)
		text_add(&b, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
	ck_assert(pair_adopt());
	sim_set_window(t.client, 0);
	push(t.client, text_slice(&b));
	push(t.client, text_slice(&b));
	ck_assert_uint_lt(t.client->out.bytes, 20000);
	sim_set_window(t.client, SIZE_MAX);
	for (int i = 0; i < 10; i++)
		turn();
	ck_assert(sim_saw_shutdown(t.client));
	sim_push_eof(t.client);
	pair_is_over();
}
END_TEST

START_TEST(answer_survives_the_clients_end)
{
	ck_assert(pair_adopt());
	sim_set_window(t.client, 5);
	push_text(t.client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_push_eof(t.client);
	ck_assert(!sim_is_released(t.client, NULL));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	got_status(426);
	ck_assert(has_ended(t.client));
	pair_is_over();
	log_is("refused");
}
END_TEST

/* What a slow client does not take in time is lost, and it can see that. */
START_TEST(answer_that_is_never_fetched)
{
	ck_assert(pair_adopt());
	sim_set_window(t.client, 5);
	push_text(t.client, "GET /x HTTP/1.0\r\n\r\n");
	pass(5000);
	ck_assert(has_reset(t.client));
	pair_is_over();
}
END_TEST

START_TEST(client_leaves_while_asking)
{
	ck_assert(pair_adopt());
	push_text(t.client, _i & 1 ? "GET" : "");
	if (_i & 2)
		sim_push_eof(t.client);
	else
		sim_push_error(t.client, ECONNRESET);
	pair_is_over();
	if (_i & 1)
		log_is("session_end", "closed_by=client");
	count_is(silent, 1);
}
END_TEST

static void no_route(void)
{
	struct route_table *none = route_table_new(NULL, 0);
	proxy_set_routes(t.proxy, none);
	route_table_unref(none);
}

START_TEST(unknown_route)
{
	no_route();
	ck_assert(pair_adopt());
	push_text(t.client, _i ? REQUEST : "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
	got_status(404);
	sim_push_eof(t.client);
	pair_is_over();
	log_is("refused", "status=404");
	count_is(refused_404, 1);
}
END_TEST

START_TEST(respond_route)
{
	t.route->action = ROUTE_RESPOND;
	t.route->respond_status = 301;
	t.route->respond_location = mem_strdup("https://a.example/");
	ck_assert(pair_adopt());
	push_text(t.client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	struct slice have = sim_sent(t.client);
	ck_assert_ptr_nonnull(memmem(have.at, have.len, "Location: https://a.example/\r\n", 30));
	got_status(301);
	push_text(t.client, REQUEST);
	got_status(301);
	count_is(responses, 2);
}
END_TEST

/* The routes may be replaced under a session. */
START_TEST(routes_are_replaced)
{
	pair_open();
	no_route();
	say(FROM_CLIENT, FIN | WS_TEXT, "x");
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "x");
}
END_TEST

/* ---- frames ---- */

static size_t some_frames(struct text *b, int from)
{
	static const char long_text[200];
	b->len = 0;
	text_frame(b, from, WS_TEXT, "h\xc3\xa9", 3);
	text_frame(b, from, FIN | WS_PING, "ping", 4);
	text_frame(b, from, WS_CONTINUATION, "\xf0\x9f", 2);
	text_frame(b, from, FIN | WS_PONG, "", 0);
	text_frame(b, from, FIN | WS_CONTINUATION, "\x98\x80", 2);
	text_frame(b, from, FIN | WS_BINARY, "", 0);
	text_frame(b, from, FIN | WS_BINARY, long_text, sizeof long_text);
	size_t before = b->len;
	text_close(b, from, 1000, "bye");
	return before;
}

/* F-22, F-26: whatever the cuts, the same bytes arrive, and no control frame before it
 * is whole. */
START_TEST(frames_cut_anywhere)
{
	static struct text b;
	int from = _i;
	some_frames(&b, from);
	for (size_t cut = 0; cut <= b.len; cut++) {
		pair_open();
		push(far_end(from), slice_of(b.at, cut));
		push(far_end(from), slice_of(b.at + cut, b.len - cut));
		got(far_end(from ^ 1), text_slice(&b));
		ck_assert_int_eq(t.session->state, SESSION_CLOSING);
		ck_assert_uint_eq(t.session->messages[_i ? CLIENT : UPSTREAM], 3);
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
}
END_TEST

START_TEST(frames_byte_by_byte)
{
	static struct text b;
	int from = _i;
	some_frames(&b, from);
	pair_open();
	for (size_t i = 0; i < b.len; i++)
		push(far_end(from), slice_of(b.at + i, 1));
	got(far_end(from ^ 1), text_slice(&b));
}
END_TEST

/* F-10: a header cut at each byte, then the end: no part of that frame has gone out. */
START_TEST(header_then_the_end)
{
	static struct text b;
	int from = _i;
	static const char payload[70000];
	b.len = 0;
	text_frame(&b, from, FIN | WS_BINARY, payload, sizeof payload);
	for (size_t cut = 1; cut <= (from == FROM_CLIENT ? 14 : 10); cut++) {
		pair_open();
		push(far_end(from), slice_of(b.at, cut));
		sim_push_eof(far_end(from));
		if (from == FROM_CLIENT)
			got_close(t.up, 1001, "client lost");
		else
			got_close(t.client, 1011, "upstream lost");
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
	count_is(cut_mid_frame, 0);
}
END_TEST

/* Any window: the same bytes, in the end. */
START_TEST(windows)
{
	static struct text b;
	int from = _i;
	size_t len = some_frames(&b, from);
	for (size_t window = 0; window <= b.len; window++) {
		pair_open();
		sim_set_window(far_end(from ^ 1), window);
		push(far_end(from), slice_of(b.at, len));
		ck_assert_uint_eq(sim_sent(far_end(from ^ 1)).len, window < len ? window : len);
		sim_set_window(far_end(from ^ 1), window / 2);
		push(far_end(from), slice_of(b.at + len, b.len - len));
		sim_set_window(far_end(from ^ 1), SIZE_MAX);
		turn();
		got(far_end(from ^ 1), text_slice(&b));
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
}
END_TEST

START_TEST(counts)
{
	pair_open();
	say(FROM_CLIENT, FIN | WS_TEXT, "abc");
	say(FROM_CLIENT, FIN | WS_PING, "");
	say(FROM_UPSTREAM, WS_TEXT, "abc");
	say(FROM_UPSTREAM, FIN | WS_CONTINUATION, "abc");
	count_is(messages_up, 1);
	count_is(bytes_up, 15);
	count_is(messages_down, 1);
	count_is(bytes_down, 10);
	count_is(opened, 1);
	proxy_abort(t.proxy);
	turn();
	log_is("messages_up=1", "bytes_up=15", "messages_down=1", "bytes_down=10");
	count_is(sessions, 1);
	count_is(sessions_ended, 1);
}
END_TEST

/* ---- backpressure ---- */

/* Over the high mark the source is not read; it is again under the low mark. */
START_TEST(marks)
{
	static char payload[1001];
	int from = _i;
	memset(payload, 'p', 1000);
	t.route->settings.max_queue = 8192;
	pair_open();
	struct stream *to = far_end(from ^ 1), *source = far_end(from);
	sim_set_window(to, 0);
	unsigned n = 0;
	while (say(from, FIN | WS_BINARY, payload))
		n++;
	ck_assert_uint_eq(n, 9);
	ck_assert(stream_is_paused(source));
	ck_assert(say(from ^ 1, FIN | WS_TEXT, "the other way is free"));
	sim_set_window(to, to->out.bytes - 4096);
	turn();
	ck_assert(stream_is_paused(source));
	sim_set_window(to, 1);
	turn();
	ck_assert(!stream_is_paused(source));
	ck_assert(say(from, FIN | WS_BINARY, payload));
	sim_set_window(to, SIZE_MAX);
	turn();
	ck_assert_uint_eq(sim_sent(to).len, 10 * (from == FROM_CLIENT ? 1008 : 1004));
	count_is(pauses, 1);
}
END_TEST

/* The source is told of a reset of the slow side, although it was paused. */
START_TEST(slow_side_dies)
{
	static char payload[5001];
	int from = _i;
	memset(payload, 'p', 5000);
	t.route->settings.max_queue = 4096;
	pair_open();
	sim_set_window(far_end(from ^ 1), 0);
	say(from, FIN | WS_BINARY, payload);
	ck_assert(stream_is_paused(far_end(from)));
	sim_push_error(far_end(from ^ 1), ECONNRESET);
	ck_assert(!stream_is_paused(far_end(from)));
	if (from == FROM_CLIENT)
		got_close(t.client, 1011, "upstream lost");
	else
		got_close(t.up, 1001, "client lost");
}
END_TEST

/* An own close frees the paused side too: its answer has to be heard. */
START_TEST(own_close_of_a_paused_side)
{
	static char payload[5001];
	int from = _i;
	memset(payload, 'p', 5000);
	t.route->settings.max_queue = 4096;
	pair_open();
	sim_set_window(far_end(from ^ 1), 0);
	say(from, FIN | WS_BINARY, payload);
	session_stop(t.session);
	ck_assert(say(from, FIN | WS_BINARY, payload));
	ck_assert(say_close(from, 1001, ""));
	sim_push_eof(far_end(from));
	ck_assert(has_ended(far_end(from)));
	sim_set_window(far_end(from ^ 1), SIZE_MAX);
	turn();
	ck_assert_uint_lt(sim_sent(far_end(from ^ 1)).len, 5100);
	say_close(from ^ 1, 1001, "");
	sim_push_eof(far_end(from ^ 1));
	pair_is_over();
	count_is(timeout_close, 0);
}
END_TEST

/* A paused source that has ended is heard of once it is read again. */
START_TEST(paused_source_ends)
{
	static char payload[5001];
	memset(payload, 'p', 5000);
	t.route->settings.max_queue = 4096;
	pair_open();
	sim_set_window(t.up, 0);
	say(FROM_CLIENT, FIN | WS_BINARY, payload);
	if (_i == 0)
		sim_push_eof(t.client);
	else
		sim_push_error(t.client, ECONNRESET);
	sim_set_window(t.up, SIZE_MAX);
	turn();
	turn();
	ck_assert_uint_gt(sim_sent(t.up).len, 5008);
	sim_take(t.up, 5008);
	got_close(t.up, 1001, "client lost");
}
END_TEST

/* ---- the worst ---- */

/* A whole session with a bit of everything; errors may end it anywhere. */
static void live(void)
{
	static char payload[5001];
	memset(payload, 'p', 5000);
	if (!pair_adopt())
		return;
	push_text(t.client, "GET /x HT");
	push_text(t.client, "TP/1.1\r\nHost: a\r\n\r\n");
	push_text(t.client, REQUEST);
	if (fake.fn)
		fake_resolve(2, (const char *const[]){"127.0.0.1:1", "127.0.0.2:1"}, NULL);
	say(FROM_CLIENT, FIN | WS_TEXT, "early");
	push_text(t.client, "\x81");
	char answer[512];
	if (t.up && !sim_is_released(t.up, NULL) &&
	        make_101(answer, "Sec-WebSocket-Protocol: a\r\n")) {
		push(t.up, slice_of(answer, 20));
		push_text(t.up, answer + 20);
	}
	if (!t.up || sim_is_released(t.up, NULL))
		goto end;
	push(t.client, SLICE("\x81\0\0\0\0a"));
	sim_set_window(t.up, 0);
	sim_set_window(t.client, 1);
	say(FROM_CLIENT, FIN | WS_BINARY, payload);
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	push_text(t.up, "\x81\x05h");
	pass(30000);
	sim_set_window(t.up, SIZE_MAX);
	sim_set_window(t.client, SIZE_MAX);
	turn();
	push_text(t.up, "ello\x89");
	push(t.up, SLICE("\0"));
	say_close(FROM_UPSTREAM, 1000, "");
	say_close(FROM_CLIENT, 1000, "");
end:
	sim_push_eof(t.client);
	if (t.up)
		sim_push_eof(t.up);
	turn();
}

/* every allocation fails once, and all from each on. */
START_TEST(memory_fails)
{
	bool named = _i & 1, forever = _i & 2;
	if (named)
		pair_server(t.route->group, "app.example", "0.0.0.0:80");
	for (int n = 1; n < 60; n++) {
		char plan[64];
		snprintf(plan, sizeof plan, "alloc:%d:ENOMEM:%d", n, forever ? 1000 : 1);
		pair_log_clear();
		fault_plan(plan);
		live();
		fault_plan(NULL);
		pass(5000);
		pass(5000);
		ck_assert_uint_eq(sessions(), 0);
		ck_assert_uint_eq(t.proxy->session_pool.used, 0);
		ck_assert_uint_eq(t.proxy->opening_pool.used, 0);
		ck_assert_uint_eq(t.worker->chunks.used, 0);
		ck_assert(!t.client || sim_is_released(t.client, NULL));
		ck_assert(!t.up || sim_is_released(t.up, NULL));
		pair_forget();
	}
}
END_TEST

/* Memory for an unfinished frame is short: the peer is told, and so is the other. */
START_TEST(no_memory_for_half_a_header)
{
	int from = _i;
	pair_open();
	fault_plan("alloc:1:ENOMEM");
	push_text(far_end(from), "\x81");
	fault_plan(NULL);
	got_close(t.client, 1011, "out of memory");
	got_close(t.up, 1001, "out of memory");
	pass(5000);
	pair_is_over();
	log_is("cause=memory", "closed_by=proxy");
	count_is(out_of_memory, 1);
}
END_TEST

START_TEST(no_memory_for_half_a_head)
{
	ck_assert(pair_adopt());
	fault_plan("alloc:1:ENOMEM");
	push_text(t.client, "GET");
	fault_plan(NULL);
	got_status(503);
	sim_push_eof(t.client);
	pair_is_over();
	log_is("refused", "status=503");
}
END_TEST

START_TEST(no_memory_for_the_queue)
{
	pair_open();
	sim_set_window(t.client, 0);
	fault_plan("alloc:1:ENOMEM");
	say(FROM_UPSTREAM, FIN | WS_TEXT, "x");
	fault_plan(NULL);
	turn();
	ck_assert(has_reset(t.client));
	got_close(t.up, 1001, "client lost");
	sim_push_eof(t.up);
	pair_is_over();
	log_is("cause=memory");
	count_is(out_of_memory, 1);
	count_is(closed_by_client_end, 0);
}
END_TEST

/* C-11: either peer resets after each byte of a whole session. */
START_TEST(reset_at_every_byte)
{
	static struct text up, down;
	bool client_resets = _i & 1, is_end = _i & 2;
	some_frames(&up, FROM_CLIENT);
	some_frames(&down, FROM_UPSTREAM);
	size_t head = strlen(REQUEST);
	for (size_t n = 0; n < head + up.len + 160 + down.len; n++) {
		char answer[512];
		size_t left = n;
		bool shook = false;
		ck_assert(pair_adopt());
		for (size_t i = 0; i < head && left > 0; i++, left--)
			push(t.client, slice_of(&REQUEST[i], 1));
		if (t.up && left > 0 && make_101(answer, "")) {
			size_t len = strlen(answer), some = left < len ? left : len;
			push(t.up, slice_of(answer, some));
			left -= some;
			shook = some == len;
		}
		if (shook) {
			size_t some = left < up.len ? left : up.len;
			push(t.client, slice_of(up.at, some));
			left -= some;
			push(t.up, slice_of(down.at, left < down.len ? left : down.len));
		}
		struct stream *first = client_resets || !t.up ? t.client : t.up;
		struct stream *second = first == t.client ? t.up : t.client;
		if (is_end)
			sim_push_eof(first);
		else if (!sim_is_released(first, NULL))
			sim_push_error(first, ECONNRESET);
		turn();
		if (second)
			sim_push_eof(second);
		turn();
		pass(5000);
		pass(5000);
		ck_assert_uint_eq(sessions(), 0);
		ck_assert_uint_eq(t.worker->chunks.used, 0);
		ck_assert_uint_le(log_count("\n"), 1);
		pair_log_clear();
		pair_forget();
	}
}
END_TEST

static void add(TCase *c)
{
	tcase_add_loop_test(c, plain_requests, 0, sizeof plain / sizeof *plain);
	tcase_add_test(c, plain_requests_cut_anywhere);
	tcase_add_test(c, answers_that_are_not_fetched);
	tcase_add_test(c, answer_survives_the_clients_end);
	tcase_add_test(c, answer_that_is_never_fetched);
	tcase_add_loop_test(c, client_leaves_while_asking, 0, 4);
	tcase_add_loop_test(c, unknown_route, 0, 2);
	tcase_add_test(c, respond_route);
	tcase_add_test(c, routes_are_replaced);
	tcase_add_loop_test(c, frames_cut_anywhere, 0, 2);
	tcase_add_loop_test(c, frames_byte_by_byte, 0, 2);
	tcase_add_loop_test(c, header_then_the_end, 0, 2);
	tcase_add_loop_test(c, windows, 0, 2);
	tcase_add_test(c, counts);
	tcase_add_loop_test(c, marks, 0, 2);
	tcase_add_loop_test(c, slow_side_dies, 0, 2);
	tcase_add_loop_test(c, own_close_of_a_paused_side, 0, 2);
	tcase_add_loop_test(c, paused_source_ends, 0, 2);
	tcase_add_loop_test(c, memory_fails, 0, 4);
	tcase_add_loop_test(c, no_memory_for_half_a_header, 0, 2);
	tcase_add_test(c, no_memory_for_half_a_head);
	tcase_add_test(c, no_memory_for_the_queue);
	tcase_add_loop_test(c, reset_at_every_byte, 0, 4);
}

int main(void)
{
	return pair_main("proxy/session", add);
}
