/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/opening.h"
#include "proxy_pair.h"

/* The client was refused: the answer, one log line, the connection brought to its end. */
static void refused(unsigned status, const char *reason)
{
	char line[32];
	snprintf(line, sizeof line, "status=%u", status);
	got_status(status);
	ck_assert(sim_saw_shutdown(t.client));
	ck_assert_int_eq(t.session->state, SESSION_LEAVING);
	if (t.up)
		ck_assert(sim_is_released(t.up, NULL));
	push_text(t.client, "ignored");
	sim_push_eof(t.client);
	ck_assert(has_ended(t.client));
	pair_is_over();
	log_is("refused", line, reason);
	count_is(responses, 1);
}

/* H-01: every split of the client's head */
START_TEST(request_in_two_pieces)
{
	struct slice all = SLICE(REQUEST);
	for (size_t cut = 1; cut < all.len; cut++) {
		ck_assert(pair_adopt());
		push(t.client, slice_of(all.at, cut));
		ck_assert_ptr_null(t.up);
		push(t.client, slice_of(all.at + cut, all.len - cut));
		pair_answer();
		got_status(101);
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
}
END_TEST

START_TEST(request_byte_by_byte)
{
	struct slice all = SLICE(REQUEST);
	ck_assert(pair_adopt());
	for (size_t i = 0; i < all.len; i++) {
		pass(20);
		push(t.client, slice_of(all.at + i, 1));
	}
	pair_answer();
	got_status(101);
}
END_TEST

/* H-35: the 101 and two frames, cut at every byte */
START_TEST(answer_in_two_pieces)
{
	for (size_t cut = 1;; cut++) {
		char answer[512];
		static struct text b;
		b.len = 0;
		pair_request();
		ck_assert(make_101(answer, "X-App: 1\r\n"));
		text_add(&b, answer, strlen(answer));
		size_t head = b.len;
		text_frame(&b, FROM_UPSTREAM, FIN | WS_TEXT, "hello", 5);
		text_frame(&b, FROM_UPSTREAM, FIN | WS_PING, "p", 1);
		bool last = cut == b.len;
		push(t.up, slice_of(b.at, cut));
		push(t.up, slice_of(b.at + cut, b.len - cut));
		struct slice have = sim_sent(t.client);
		ck_assert_uint_gt(have.len, b.len - head);
		ck_assert_mem_eq(have.at + have.len - (b.len - head), b.at + head, b.len - head);
		ck_assert_ptr_nonnull(memmem(have.at, have.len, "X-App: 1\r\n\r\n\x81\x05", 14));
		proxy_abort(t.proxy);
		turn();
		pair_forget();
		if (last)
			break;
	}
}
END_TEST

/* H-15, and no byte of the client passes before the 101 */
START_TEST(early_frames_are_kept)
{
	static struct text b;
	b.len = 0;
	text_add(&b, REQUEST, strlen(REQUEST));
	size_t head = b.len;
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "one", 3);
	text_frame(&b, FROM_CLIENT, FIN | WS_PING, "two", 3);
	text_frame(&b, FROM_CLIENT, WS_BINARY, "three", 5);
	for (size_t cut = head; cut <= b.len; cut++) {
		ck_assert(pair_adopt());
		push(t.client, slice_of(b.at, cut));
		char answer[512];
		ck_assert(make_101(answer, ""));
		got_nothing(t.up);
		push(t.client, slice_of(b.at + cut, (b.len - cut) / 2));
		got_nothing(t.up);
		push_text(t.up, answer);
		push(t.client,
		        slice_of(b.at + cut + (b.len - cut) / 2, b.len - cut - (b.len - cut) / 2));
		got(t.up, slice_of(b.at + head, b.len - head));
		got_status(101);
		proxy_abort(t.proxy);
		turn();
		pair_forget();
	}
}
END_TEST

START_TEST(early_frames_are_bounded)
{
	static char payload[1001];
	memset(payload, 'a', 1000);
	pair_request();
	int n = 0;
	while (say(FROM_CLIENT, FIN | WS_BINARY, payload))
		n++;
	ck_assert_int_ge(n, OPENING_EARLY_MAX / 1008);
	ck_assert_int_le(n, OPENING_EARLY_MAX / 1008 + 1);
	char answer[512];
	ck_assert(make_101(answer, ""));
	push_text(t.up, answer);
	ck_assert_uint_eq(sim_sent(t.up).len, (size_t)n * 1008);
	sim_take(t.up, sim_sent(t.up).len);
	ck_assert(say(FROM_CLIENT, FIN | WS_TEXT, "goes on"));
	got_frame(FROM_CLIENT, FIN | WS_TEXT, "goes on");
}
END_TEST

/* The upstream takes nothing yet: the client stays paused until it does. */
START_TEST(early_frames_and_a_slow_upstream)
{
	static char payload[1001];
	memset(payload, 'a', 1000);
	t.route->settings.max_queue = 8192;
	pair_request();
	while (say(FROM_CLIENT, FIN | WS_BINARY, payload))
		;
	char answer[512];
	ck_assert(make_101(answer, ""));
	sim_set_window(t.up, 0);
	push_text(t.up, answer);
	got_status(101);
	ck_assert(!say(FROM_CLIENT, FIN | WS_BINARY, payload));
	sim_set_window(t.up, SIZE_MAX);
	turn();
	ck_assert(say(FROM_CLIENT, FIN | WS_BINARY, payload));
	sim_set_window(t.up, 0);
	for (int i = 0; i < 20; i++)
		say(FROM_CLIENT, FIN | WS_BINARY, payload);
	pass(31000);
	ck_assert(has_reset(t.up));
	got_close(t.client, 1008, "send_timeout");
}
END_TEST

START_TEST(early_frames_and_a_dead_upstream)
{
	t.route->settings.ping_interval_ms = 0;
	pair_request();
	say(FROM_CLIENT, FIN | WS_TEXT, "x");
	char answer[512];
	ck_assert(make_101(answer, ""));
	sim_set_window(t.up, 0);
	push_text(t.up, answer);
	got_status(101);
	for (int i = 0; i < 32 && !sim_is_released(t.up, NULL); i++)
		pass(1000);
	ck_assert(has_reset(t.up));
	got_close(t.client, 1008, "send_timeout");
}
END_TEST

START_TEST(early_close)
{
	pair_request();
	say(FROM_CLIENT, FIN | WS_TEXT, "x");
	say_close(FROM_CLIENT, 1000, "bye");
	say(FROM_CLIENT, FIN | WS_TEXT, "late");
	char answer[512];
	ck_assert(make_101(answer, ""));
	push_text(t.up, answer);
	got_status(101);
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "x", 1);
	text_close(&b, FROM_CLIENT, 1000, "bye");
	got(t.up, text_slice(&b));
	say_close(FROM_UPSTREAM, 1000, "");
	got_close(t.client, 1000, "");
	sim_push_eof(t.up);
	sim_push_eof(t.client);
	pair_is_over();
	log_is("cause=close", "closed_by=client");
}
END_TEST

/* H-14 and all violations: 400 while no 101 is out, whatever their close code */
static const char *const early_faults[] = {
        "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x81\x01x",
        "\x82\xff\x80",
        "\x88\x82\0\0\0\0\x03\xed",
        "\x81\x81\1\1\1\1\xfe",
};

START_TEST(early_violation)
{
	static const size_t len[] = {32, 3, 3, 8, 7};
	pair_request();
	sim_take(t.up, sim_sent(t.up).len);
	push(t.client, slice_of(early_faults[_i], len[_i]));
	got_nothing(t.up);
	refused(400, "reason=");
	count_is(refused_400, 1);
	count_is(broken_by_client, 0);
}
END_TEST

START_TEST(early_violation_in_the_same_piece)
{
	ck_assert(pair_adopt());
	push_text(t.client, REQUEST "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n");
	if (t.up)
		ck_assert_ptr_null(memmem(sim_sent(t.up).at, sim_sent(t.up).len, "admin", 5));
	refused(400, "reason=");
}
END_TEST

/* U-01 */
START_TEST(client_leaves)
{
	bool named = _i & 2;
	if (named)
		pair_server(t.route->group, "app.example", "0.0.0.0:80");
	pair_request();
	if (_i & 1)
		sim_push_eof(t.client);
	else
		sim_push_error(t.client, ECONNRESET);
	ck_assert(sim_is_released(t.client, NULL));
	if (!named)
		ck_assert(sim_is_released(t.up, NULL));
	ck_assert_uint_eq(fake.cancels, named);
	pair_is_over();
	log_is("session_end", "closed_by=client");
}
END_TEST

/* ---- answers ---- */

static const struct {
	const char *answer, *reason;
} lies[] = {
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                "101 without Upgrade"},
        {"HTTP/1.1 101 x\r\nUpgrade: foo\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
         "%s\r\n\r\n",
                "101 without Upgrade"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                "101 without Connection"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Accept"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
                "Accept"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                "Accept"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
                "Protocol"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                "Extensions"},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: %s\r\nContent-Length: 3\r\n\r\n",
                "body"},
        {"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "101"},
        {"HTTP/2 200 OK\r\n\r\n", "reason="},
        {"ICY 200 OK\r\n\r\n", "reason="},
        {"HTTP/1.1 1010 x\r\n\r\n", "reason="},
        {"HTTP/1.1 200 OK\nX: y\n\n", "reason="},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "reason="},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "reason="},
};

/* H-22 to H-28, H-32, H-33 */
START_TEST(lies_are_502)
{
	char answer[512], good[512], accept[29] = "";
	pair_request();
	ck_assert(make_101(good, ""));
	memcpy(accept, strstr(good, "Accept: ") + 8, 28);
	snprintf(answer, sizeof answer, lies[_i].answer, accept, accept);
	push_text(t.up, answer);
	refused(502, lies[_i].reason);
	count_is(refused_502, 1);
	count_is(opened, 0);
}
END_TEST

/* H-20 */
START_TEST(upstream_ends_early)
{
	static const char *const before[] = {"", "H", "HTTP/1.1 101 x\r\nUpgrade",
	        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"};
	pair_request();
	push_text(t.up, before[_i / 2]);
	if (_i & 1)
		sim_push_eof(t.up);
	else
		sim_push_error(t.up, ECONNRESET);
	refused(502, "closed before");
}
END_TEST

/* H-29, H-30 */
START_TEST(interim_answers)
{
	pair_request();
	for (int i = 0; i < 8; i++)
		push_text(t.up, i & 1 ? "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
		                      : "HTTP/1.1 100 Continue\r\n\r\n");
	got_nothing(t.client);
	if (_i == 0) {
		pair_answer();
		got_status(101);
		return;
	}
	push_text(t.up, "HTTP/1.1 100 Continue\r\n\r\n");
	refused(502, "too many interim");
}
END_TEST

static const struct {
	const char *answer;
	bool ends; /* by the upstream's end */
	const char *body;
	unsigned status;
} relayed[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX-App: 1\r\n\r\nabc", false, "abc", 404},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX-App: 1\r\n\r\n", false, "", 404},
        {"HTTP/1.1 204 No Content\r\nX-App: 1\r\n\r\n", false, "", 204},
        {"HTTP/1.1 200 OK\r\nX-App: 1\r\n\r\nall of it", true, "all of it", 200},
        {"HTTP/1.1 200 OK\r\nX-App: 1\r\n\r\n", true, "", 200},
        {"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\nX-App: "
         "1\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                false, "abcde", 401},
        {"HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\nX-App: 1\r\n\r\n0\r\n\r\n", false, "",
                302},
        {"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-App: "
         "1\r\n"
         "Content-Length: 1\r\n\r\n!",
                false, "!", 426},
};

/* H-21: relayed, whole, whatever the framing and however it is cut */
START_TEST(answers_are_relayed)
{
	static struct http_head head;
	struct slice all = slice_str(relayed[_i].answer);
	for (size_t cut = 1; cut <= all.len; cut++) {
		struct http_scan scan = {0};
		pair_request();
		push(t.up, slice_of(all.at, cut));
		push(t.up, slice_of(all.at + cut, all.len - cut));
		if (relayed[_i].ends)
			sim_push_eof(t.up);
		struct slice have = sim_sent(t.client);
		ssize_t n = http_parse_response(&head, &scan, have.at, have.len);
		ck_assert_int_gt(n, 0);
		ck_assert_uint_eq(head.status, relayed[_i].status);
		ck_assert(!head.keep_alive);
		ck_assert_ptr_nonnull(memmem(have.at, (size_t)n, "X-App: 1\r\n", 10));
		ck_assert(slice_equal(
		        slice_of(have.at + n, have.len - (size_t)n), slice_str(relayed[_i].body)));
		if (relayed[_i].status != 204) {
			ck_assert_int_eq(head.framing, HTTP_BODY_LENGTH);
			ck_assert_uint_eq(head.content_length, strlen(relayed[_i].body));
		}
		ck_assert(sim_saw_shutdown(t.client));
		ck_assert(sim_is_released(t.up, NULL));
		sim_push_eof(t.client);
		pair_is_over();
		log_is("refused", "answered so by the upstream");
		count_is(relayed, cut);
		count_is(refused_404, 0);
		pair_forget();
	}
}
END_TEST

START_TEST(answer_of_64_kib)
{
	static char body[65537];
	memset(body, 'b', sizeof body);
	pair_request();
	push_text(t.up, "HTTP/1.1 200 OK\r\n\r\n");
	push(t.up, slice_of(body, 40000));
	push(t.up, slice_of(body, (size_t)(_i ? 25537 : 25536)));
	if (_i) {
		refused(502, "over 64 KiB");
		return;
	}
	sim_push_eof(t.up);
	ck_assert_uint_gt(sim_sent(t.client).len, 65536);
	got_status(200);
}
END_TEST

/* A client that reads slowly still gets the whole answer, although it ends its side. */
START_TEST(slow_client_gets_the_answer)
{
	pair_request();
	sim_set_window(t.client, 10);
	push_text(t.up, "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nabc");
	sim_push_eof(t.client);
	ck_assert(!sim_is_released(t.client, NULL));
	sim_set_window(t.client, SIZE_MAX);
	turn();
	struct slice have = sim_sent(t.client);
	ck_assert_mem_eq(have.at + have.len - 3, "abc", 3);
	ck_assert(has_ended(t.client));
	pair_is_over();
}
END_TEST

/* H-31 */
START_TEST(answer_that_never_ends)
{
	pair_request();
	push_text(t.up, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 9; i++) {
		pass(1000);
		push_text(t.up, "x");
	}
	pass(999);
	got_nothing(t.client);
	pass(1);
	refused(504, "in time");
	count_is(refused_504, 1);
}
END_TEST

START_TEST(answer_with_a_head_of_a_mebibyte)
{
	static char line[16385];
	memset(line, 'x', sizeof line);
	pair_request();
	push_text(t.up, "HTTP/1.1 101 x\r\nX: ");
	for (int i = 0; i < 64 && !sim_is_released(t.up, NULL); i++)
		push(t.up, slice_of(line, sizeof line));
	refused(502, "reason=");
}
END_TEST

/* ---- reaching the upstream ---- */

static void use_name(void)
{
	pair_server(t.route->group, "app.example", "0.0.0.0:9000");
}

static const char *const three[] = {"127.0.0.1:1", "127.0.0.2:1", "[::1]:1"};

static void asked(unsigned n, const char *address)
{
	char text[ADDRESS_TEXT_MAX];
	ck_assert_str_eq(address_text(&t.asked[n], text), address);
}

/* U-04: each address is tried, those that fail at once and those that fail later */
START_TEST(addresses_are_tried_in_turn)
{
	use_name();
	t.connecting = true;
	t.connect_errno[0] = ENETUNREACH;
	pair_request();
	got_nothing(t.client);
	fake_resolve(3, three, NULL);
	ck_assert_uint_eq(t.connects, 2);
	asked(0, "127.0.0.1:9000");
	asked(1, "127.0.0.2:9000");
	sim_push_error(t.up, ECONNREFUSED);
	ck_assert_uint_eq(t.connects, 3);
	asked(2, "[::1]:9000");
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	pair_answer();
	got_status(101);
	count_is(refused_502, 0);
}
END_TEST

START_TEST(no_address_answers)
{
	use_name();
	t.connecting = true;
	pair_request();
	fake_resolve(3, three, NULL);
	for (int i = 0; i < 2; i++)
		sim_push_error(t.up, ECONNREFUSED);
	sim_push_error(t.up, _i ? ECONNREFUSED : ETIMEDOUT);
	ck_assert_uint_eq(t.connects, 3);
	refused(_i ? 502 : 504, _i ? "cannot be reached" : "in time");
}
END_TEST

/* RFC 8305: one more is begun after a while; the time to connect counts for all, and from
 * the look-up on. */
START_TEST(connect_timeout)
{
	use_name();
	t.connecting = true;
	pair_request();
	pass(1000);
	fake_resolve(3, three, NULL);
	ck_assert_uint_eq(t.connects, 1);
	pass(249);
	ck_assert_uint_eq(t.connects, 1);
	pass(1);
	ck_assert_uint_eq(t.connects, 2);
	pass(250);
	ck_assert_uint_eq(t.connects, 3);
	ck_assert(!sim_is_released(t.tried[0], NULL));
	pass(3499);
	got_nothing(t.client);
	pass(1);
	for (int i = 0; i < 3; i++)
		ck_assert(sim_is_released(t.tried[i], NULL));
	refused(504, "did not connect in time");
}
END_TEST

static void connected(unsigned n)
{
	t.up = t.tried[n];
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	t.up->events->on_connect(t.up);
}

/* The request goes to nobody else. */
START_TEST(the_first_that_is_connected)
{
	use_name();
	t.connecting = true;
	pair_request();
	fake_resolve(3, three, NULL);
	pass(250);
	pass(250);
	ck_assert_uint_eq(t.connects, 3);
	connected((unsigned)_i);
	for (int i = 0; i < 3; i++) {
		ck_assert(sim_is_released(t.tried[i], NULL) == (i != _i));
		ck_assert((sim_sent(t.tried[i]).len > 0) == (i == _i));
	}
	pair_answer();
	got_status(101);
	pass(5000);
	ck_assert_uint_eq(t.connects, 3);
}
END_TEST

/* One that fails makes room at once, and the next pause begins anew. */
START_TEST(a_failure_hurries_the_next)
{
	use_name();
	t.connecting = true;
	pair_request();
	fake_resolve(3, three, NULL);
	pass(100);
	sim_push_error(t.tried[0], ECONNREFUSED);
	ck_assert_uint_eq(t.connects, 2);
	pass(249);
	ck_assert_uint_eq(t.connects, 2);
	pass(1);
	ck_assert_uint_eq(t.connects, 3);
	sim_push_error(t.tried[2], ECONNREFUSED);
	got_nothing(t.client);
	connected(1);
	pair_answer();
	got_status(101);
}
END_TEST

START_TEST(all_fail_one_after_the_other)
{
	use_name();
	t.connecting = true;
	pair_request();
	fake_resolve(3, three, NULL);
	pass(250);
	pass(250);
	for (int i = 0; i < 3; i++)
		sim_push_error(t.tried[(i + _i) % 3], ECONNREFUSED);
	refused(502, "cannot be reached");
}
END_TEST

START_TEST(client_leaves_while_addresses_are_tried)
{
	use_name();
	t.connecting = true;
	pair_request();
	fake_resolve(3, three, NULL);
	pass(250);
	sim_push_error(t.client, ECONNRESET);
	for (int i = 0; i < 2; i++)
		ck_assert(sim_is_released(t.tried[i], NULL));
	pass(250);
	ck_assert_uint_eq(t.connects, 2);
	ck_assert_uint_eq(sessions(), 0);
}
END_TEST

START_TEST(no_memory_for_an_attempt)
{
	use_name();
	t.connecting = true;
	pair_request();
	ck_assert(fault_plan("alloc:2:ENOMEM"));
	fake_resolve(2, three, NULL);
	fault_plan(NULL);
	/* The last one needs none. */
	ck_assert_uint_eq(t.connects, 1);
	asked(0, "127.0.0.2:9000");
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	pair_answer();
	got_status(101);
}
END_TEST

START_TEST(connect_timeout_of_the_only_address)
{
	t.connecting = true;
	pair_request();
	pass(4999);
	got_nothing(t.client);
	pass(1);
	refused(504, "did not connect in time");
}
END_TEST

START_TEST(connected_in_time)
{
	t.connecting = true;
	pair_request();
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	pass(6000);
	got_nothing(t.client);
	pass(3999);
	got_nothing(t.client);
	pass(1);
	refused(504, "did not answer in time");
}
END_TEST

START_TEST(name_is_unknown)
{
	use_name();
	pair_request();
	fake_resolve(0, NULL, "no such host");
	refused(502, "no such host");
	count_is(refused_502, 1);
}
END_TEST

START_TEST(name_is_never_known)
{
	use_name();
	pair_request();
	pass(4999);
	got_nothing(t.client);
	pass(1);
	ck_assert_uint_eq(fake.cancels, 1);
	refused(504, "in time");
}
END_TEST

START_TEST(name_with_too_many_addresses)
{
	const char *many[32];
	for (int i = 0; i < 32; i++)
		many[i] = "127.0.0.1:1";
	use_name();
	for (int i = 0; i < PAIR_CONNECTS; i++)
		t.connect_errno[i] = ECONNREFUSED;
	pair_request();
	fake_resolve(32, many, NULL);
	ck_assert_uint_eq(t.connects, 16);
	refused(502, "cannot be reached");
}
END_TEST

/* our own resources */
START_TEST(nothing_left_to_connect_with)
{
	static const int errors[] = {EADDRNOTAVAIL, EMFILE, ENFILE, ENOMEM, ENOBUFS};
	t.connect_errno[0] = errors[_i];
	pair_request();
	refused(503, _i == 0 ? "no free port" : "no descriptor or memory");
	count_is(refused_503, 1);
}
END_TEST

/* U-04: a unix socket whose queue is full is asked again, ever later, in its time to connect. */
static void queue_is_full(unsigned times)
{
	pair_server(t.route->group, NULL, "unix:/run/app");
	t.route->group->connect_timeout_ms = 1000;
	for (unsigned i = 0; i < times; i++)
		t.connect_errno[i] = EAGAIN;
	pair_request();
	got_nothing(t.client);
	ck_assert_uint_eq(t.connects, 1);
}

START_TEST(U_04_full_queue)
{
	static const unsigned waits[] = {5, 10, 20, 40, 80, 160, 160, 160};
	queue_is_full(8);
	for (unsigned i = 0; i < 8; i++) {
		pass(waits[i] - 1);
		ck_assert_uint_eq(t.connects, i + 1);
		pass(1);
		ck_assert_uint_eq(t.connects, i + 2);
	}
	pair_answer();
	got_status(101);
	count_is(server_failures, 0);
}
END_TEST

START_TEST(U_04_full_queue_for_ever)
{
	queue_is_full(PAIR_CONNECTS);
	pass(999);
	got_nothing(t.client);
	pass(1);
	refused(504, "did not connect in time");
	unsigned n = t.connects;
	pass(1000);
	ck_assert_uint_eq(t.connects, n);
}
END_TEST

START_TEST(U_01_client_leaves_a_full_queue)
{
	queue_is_full(PAIR_CONNECTS);
	pass(100);
	if (_i)
		sim_push_error(t.client, ECONNRESET);
	else
		sim_push_eof(t.client);
	unsigned n = t.connects;
	pass(1000);
	ck_assert_uint_eq(t.connects, n);
	ck_assert_uint_eq(sessions(), 0);
}
END_TEST

/* What TCP says so is no queue. */
START_TEST(again_of_tcp_is_an_error)
{
	t.connect_errno[0] = EAGAIN;
	pair_request();
	refused(502, "cannot be reached");
}
END_TEST

/* ---- what the request becomes ---- */

START_TEST(request_to_the_upstream)
{
	ck_assert(pair_adopt());
	push_text(t.client,
	        "GET http://b.example/p%20q?a=1&b=2 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\n"
	        "Upgrade: websocket\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\n"
	        "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n"
	        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
	struct slice have = sim_sent(t.up);
	ck_assert_ptr_nonnull(memmem(have.at, have.len, "GET /p%20q?a=1&b=2 HTTP/1.1\r\n", 29));
	ck_assert_ptr_nonnull(memmem(have.at, have.len, "\r\nHost: b.example\r\n", 19));
	ck_assert_ptr_nonnull(memmem(have.at, have.len, "\r\nX-One: 1\r\n", 12));
	ck_assert_ptr_null(memmem(have.at, have.len, "X-Hop", 5));
	ck_assert_ptr_null(memmem(have.at, have.len, "permessage", 10));
	ck_assert_ptr_null(memmem(have.at, have.len, "AAAAAAAAAA", 10));
	char answer[512];
	ck_assert(make_101(answer, "Sec-WebSocket-Protocol: chat\r\nSet-Cookie: c\r\n"));
	push_text(t.up, answer);
	have = sim_sent(t.client);
	ck_assert_ptr_nonnull(
	        memmem(have.at, have.len, "\r\nSec-WebSocket-Protocol: chat\r\n", 32));
	ck_assert_ptr_nonnull(memmem(have.at, have.len, "\r\nSet-Cookie: c\r\n", 17));
	got_status(101);
}
END_TEST

START_TEST(absolute_form_without_a_path)
{
	ck_assert(pair_adopt());
	push_text(t.client, "GET http://b.example?a=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
	struct slice have = sim_sent(t.up);
	ck_assert_ptr_nonnull(memmem(have.at, have.len, "GET /?a=1 HTTP/1.1\r\n", 20));
}
END_TEST

/* ---- masks ---- */

START_TEST(masks)
{
	static struct text b;
	b.len = 0;
	t.route->settings.remask = _i == 0 ? REMASK_ON : REMASK_AUTO;
	if (_i == 2)
		pair_server(t.route->group, NULL, "8.8.8.8:80");
	pair_open();
	bool fresh = _i != 1;
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "hello", 5);
	push(t.client, text_slice(&b));
	struct slice have = sim_sent(t.up);
	ck_assert_uint_eq(have.len, b.len);
	ck_assert((memcmp(have.at, b.at, b.len) != 0) == fresh);
	uint8_t body[126];
	take_frame(t.up, body, sizeof body);
	ck_assert_str_eq((char *)body, "hello");
}
END_TEST

/* A name is taken for public until it is known to be at home. */
START_TEST(mask_of_a_name)
{
	static const char *const home[] = {"127.0.0.1:1"}, *const away[] = {"8.8.8.8:1"};
	t.route->settings.remask = REMASK_AUTO;
	use_name();
	pair_request();
	fake_resolve(1, _i ? away : home, NULL);
	pair_answer();
	got_status(101);
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "hello", 5);
	push(t.client, text_slice(&b));
	ck_assert((memcmp(sim_sent(t.up).at, b.at, b.len) != 0) == (_i == 1));
}
END_TEST

/* ... and that of each address anew. */
START_TEST(mask_of_the_next_address)
{
	t.route->settings.remask = REMASK_AUTO;
	t.connecting = true;
	use_name();
	pair_request();
	fake_resolve(2, (const char *const[]){"127.0.0.1:1", "8.8.8.8:1"}, NULL);
	sim_push_error(t.up, ECONNREFUSED);
	t.up->flags &= (uint16_t)~STREAM_CONNECTING;
	pair_answer();
	static struct text b;
	b.len = 0;
	text_frame(&b, FROM_CLIENT, FIN | WS_TEXT, "hello", 5);
	push(t.client, text_slice(&b));
	ck_assert(memcmp(sim_sent(t.up).at, b.at, b.len) != 0);
}
END_TEST

static void add(TCase *c)
{
	tcase_add_test(c, request_in_two_pieces);
	tcase_add_test(c, request_byte_by_byte);
	tcase_add_test(c, answer_in_two_pieces);
	tcase_add_test(c, early_frames_are_kept);
	tcase_add_test(c, early_frames_are_bounded);
	tcase_add_test(c, early_frames_and_a_slow_upstream);
	tcase_add_test(c, early_frames_and_a_dead_upstream);
	tcase_add_test(c, early_close);
	tcase_add_loop_test(c, early_violation, 0, 5);
	tcase_add_test(c, early_violation_in_the_same_piece);
	tcase_add_loop_test(c, client_leaves, 0, 4);
	tcase_add_loop_test(c, lies_are_502, 0, sizeof lies / sizeof *lies);
	tcase_add_loop_test(c, upstream_ends_early, 0, 8);
	tcase_add_loop_test(c, interim_answers, 0, 2);
	tcase_add_loop_test(c, answers_are_relayed, 0, sizeof relayed / sizeof *relayed);
	tcase_add_loop_test(c, answer_of_64_kib, 0, 2);
	tcase_add_test(c, slow_client_gets_the_answer);
	tcase_add_test(c, answer_that_never_ends);
	tcase_add_test(c, answer_with_a_head_of_a_mebibyte);
	tcase_add_test(c, addresses_are_tried_in_turn);
	tcase_add_loop_test(c, no_address_answers, 0, 2);
	tcase_add_test(c, connect_timeout);
	tcase_add_loop_test(c, the_first_that_is_connected, 0, 3);
	tcase_add_test(c, a_failure_hurries_the_next);
	tcase_add_loop_test(c, all_fail_one_after_the_other, 0, 3);
	tcase_add_test(c, client_leaves_while_addresses_are_tried);
	tcase_add_test(c, no_memory_for_an_attempt);
	tcase_add_test(c, connect_timeout_of_the_only_address);
	tcase_add_test(c, connected_in_time);
	tcase_add_test(c, name_is_unknown);
	tcase_add_test(c, name_is_never_known);
	tcase_add_test(c, name_with_too_many_addresses);
	tcase_add_loop_test(c, nothing_left_to_connect_with, 0, 5);
	tcase_add_test(c, U_04_full_queue);
	tcase_add_test(c, U_04_full_queue_for_ever);
	tcase_add_loop_test(c, U_01_client_leaves_a_full_queue, 0, 2);
	tcase_add_test(c, again_of_tcp_is_an_error);
	tcase_add_test(c, request_to_the_upstream);
	tcase_add_test(c, absolute_form_without_a_path);
	tcase_add_loop_test(c, masks, 0, 3);
	tcase_add_loop_test(c, mask_of_a_name, 0, 2);
	tcase_add_test(c, mask_of_the_next_address);
}

int main(void)
{
	return pair_main("proxy/opening", add);
}
