/* SPDX-License-Identifier: BSD-2-Clause */

/* resty.websocket.* on simulated streams: frames in every piece, sizes at every bound, peers that
 * take nothing, memory that fails at each place. */

#include "lua/frames.h"

#include "base/fault.h"
#include "lua_sim.h"
#include "suite.h"

#include <check.h>
#include <errno.h>

static void teardown(void)
{
	fault_plan(NULL);
	sim_stop();
}

#define SERVER "local wb = assert(require('resty.websocket.server'):new(opts))\n"

static const char read_all[] = "local opts = { max_payload_len = 1000 }\n" SERVER "repeat\n"
                               "    local data, typ, err = wb:recv_frame()\n"
                               "    note(data, typ, err)\n"
                               "until not data\n"
                               "note(wb.fatal)\n";

/* ---- what the peer sends ---- */

struct bytes {
	uint8_t at[256 * 1024];
	size_t len;
};

/* Masked; the length is as it is written, with as much payload as `given`. */
static void put(struct bytes *b, uint8_t first, uint64_t len, size_t given, size_t length_bytes)
{
	uint8_t key[4] = {1, 2, 3, 4};
	b->at[b->len++] = first;
	b->at[b->len++] = (uint8_t)(0x80 | (length_bytes == 8          ? 127
	                                           : length_bytes == 2 ? 126
	                                                               : (unsigned)len));
	for (size_t i = length_bytes; i > 0; i--)
		b->at[b->len++] = (uint8_t)(len >> (8 * (i - 1)));
	memcpy(b->at + b->len, key, sizeof key);
	b->len += sizeof key;
	for (size_t i = 0; i < given; i++)
		b->at[b->len++] = (uint8_t)('a' + i % 23) ^ key[i % 4];
}

static void put_plain(struct bytes *b, uint8_t first, size_t len)
{
	put(b, first, len, len, len > UINT16_MAX ? 8 : len > 125 ? 2 : 0);
}

static void begin_upgraded(void)
{
	sim_begin();
	ck_assert(sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1));
	sim_turn();
}

/* In exact copies: a byte read too many is seen. */
static void send_part(struct stream *s, const uint8_t *at, size_t len)
{
	enum { PIECE = 32 * 1024 };
	for (size_t n; len > 0; at += n, len -= n) {
		n = len < PIECE ? len : PIECE;
		if (!sim_send(s, at, n))
			return;
	}
}

static void expect_noted(const char *text)
{
	ck_assert_str_eq(sim.noted, text);
}

START_TEST(every_split_point)
{
	static struct bytes b;
	char want[4096];
	sim_start(read_all, 0);
	b.len = 0;
	put_plain(&b, 0x81, 3);
	put_plain(&b, 0x02, 0);
	put_plain(&b, 0x89, 4);
	put_plain(&b, 0x80, 126);
	put(&b, 0x81, 2, 2, 8);
	put_plain(&b, 0x88, 5);
	for (size_t cut = 0; cut <= b.len; cut++) {
		begin_upgraded();
		send_part(sim.client, b.at, cut);
		sim_turn();
		send_part(sim.client, b.at + cut, b.len - cut);
		sim_finish(sim.client);
		sim_turn();
		if (cut == 0)
			snprintf(want, sizeof want, "%s", sim.noted);
		expect_noted(want);
		sim_end();
	}
	ck_assert_ptr_nonnull(strstr(want, "abc|text|nil|\n|binary|again|\nabcd|ping|nil|\n"));
	ck_assert_ptr_nonnull(strstr(want, "\nab|text|nil|\ncde|close|24930|\n"));
	ck_assert_ptr_nonnull(strstr(want, "first 2 bytes: closed|\ntrue|\n"));
}
END_TEST

/* ---- sizes ---- */

static const char echo[] = "local opts = { max_payload_len = 70000 }\n" SERVER "while true do\n"
                           "    local data, typ, err = wb:recv_frame()\n"
                           "    if not data then note(err) break end\n"
                           "    note(#data, wb:send_binary(data))\n"
                           "end\n";

START_TEST(sizes_at_every_bound_of_a_length)
{
	static const size_t sizes[] = {
	        0, 1, 2, 125, 126, 127, 128, 4095, 4096, 4097, 65534, 65535, 65536, 65537, 70000};
	static struct bytes b;
	static uint8_t sent[1 << 20];
	sim_start(echo, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char want[64];
		size_t n = sizes[i];
		b.len = 0;
		put_plain(&b, 0x82, n);
		begin_upgraded();
		send_part(sim.client, b.at, b.len);
		sim_turn();
		snprintf(want, sizeof want, "%zu|%zu|nil|\n", n,
		        n + (n > UINT16_MAX   ? 10
		                    : n > 125 ? 4
		                              : 2));
		expect_noted(want);
		ck_assert_uint_eq(sim_frames(sim.client, sent), n + 2);
		for (size_t at = 0; at < n; at++)
			ck_assert_uint_eq(sent[2 + at], 'a' + at % 23);
		sim_end();
	}
}
END_TEST

/* What is declared costs nothing before it has come. */
START_TEST(F_06_lengths_that_nobody_may_have)
{
	static const struct {
		uint64_t len;
		const char *why;
	} rows[] = {{1001, "exceeding max payload len"}, {UINT16_MAX, "exceeding max payload len"},
	        {INT32_MAX, "exceeding max payload len"},
	        {INT32_MAX + UINT64_C(1), "payload len too large"},
	        {UINT32_MAX, "payload len too large"}, {UINT64_C(1) << 53, "payload len too large"},
	        {INT64_MAX, "payload len too large"}, {UINT64_MAX, "payload len too large"}};
	static struct bytes b;
	sim_start(read_all, 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char want[100];
		b.len = 0;
		put(&b, 0x82, rows[i].len, 0, 8);
		begin_upgraded();
		send_part(sim.client, b.at, b.len);
		sim_turn();
		snprintf(want, sizeof want, "nil|nil|%s|\ntrue|\n", rows[i].why);
		expect_noted(want);
		sim_end();
	}
}
END_TEST

START_TEST(limits_that_are_odd_numbers)
{
	static const struct {
		const char *max;
		bool passes;
	} rows[] = {{"0", false}, {"-1", false}, {"5", true}, {"4.5", false}, {"0/0", true},
	        {"1/0", true}, {"-1/0", false}, {"2^53", true}, {"2^31", true}};
	static struct bytes b;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char script[400];
		snprintf(script, sizeof script,
		        "local opts = { max_payload_len = %s }\n" SERVER
		        "note(wb:recv_frame()) note(wb:send_text('12345'))",
		        rows[i].max);
		sim_start(script, 0);
		begin_upgraded();
		b.len = 0;
		put_plain(&b, 0x81, 5);
		send_part(sim.client, b.at, b.len);
		sim_turn();
		ck_assert_msg(!!strstr(sim.noted, "abcde|text|nil|\n") == rows[i].passes, "%s: %s",
		        rows[i].max, sim.noted);
		ck_assert(strstr(sim.noted, "7|nil|") || !rows[i].passes);
		sim_end();
		sim_stop();
	}
	sim_start(read_all, 0);
}
END_TEST

START_TEST(codes_of_close_frames_that_are_odd_numbers)
{
	static uint8_t sent[4096];
	static const struct {
		const char *code, *noted;
		uint16_t sent;
	} rows[] = {{"0", "4|nil|\n", 0}, {"-1", "4|nil|\n", 0xffff},
	        {"0x7fff", "4|nil|\n", 0x7fff}, {"0x8000", "nil|bad status code|\n", 0},
	        {"2^53", "nil|bad status code|\n", 0}, {"1/0", "nil|bad status code|\n", 0},
	        {"'1000'", "nil|bad status code|\n", 0}, {"1000.9", "4|nil|\n", 1000},
	        {"{}", "nil|bad status code|\n", 0}, {"-1/0", "4|nil|\n", 0},
	        {"0/0", "4|nil|\n", 0}, {"-2^53", "4|nil|\n", 0}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char script[300];
		snprintf(script, sizeof script, "local opts\n" SERVER "note(wb:send_close(%s))",
		        rows[i].code);
		sim_start(script, 0);
		begin_upgraded();
		ck_assert_msg(
		        strcmp(sim.noted, rows[i].noted) == 0, "%s: %s", rows[i].code, sim.noted);
		size_t n = sim_frames(sim.client, sent);
		ck_assert_uint_ge(n, 4);
		if (sim.noted[0] == '4')
			ck_assert_msg(sent[2] << 8 == (rows[i].sent & 0xff00) &&
			                      sent[3] == (rows[i].sent & 0xff),
			        "%s: %02x%02x", rows[i].code, sent[2], sent[3]);
		sim_end();
		sim_stop();
	}
	sim_start(read_all, 0);
}
END_TEST

/* ---- time ---- */

static const char patient[] = "local opts = { timeout = 100 }\n" SERVER "for i = 1, 30 do\n"
                              "    local data, typ, err = wb:recv_frame()\n"
                              "    note(data, typ, err)\n"
                              "    if data then break end\n"
                              "end\n";

/* A frame of which a byte comes with every timeout is resumed each time. */
START_TEST(a_frame_is_resumed_at_every_byte)
{
	static struct bytes b;
	sim_start(patient, 0);
	b.len = 0;
	put(&b, 0x81, 4, 4, 2);
	begin_upgraded();
	for (size_t i = 0; i < b.len; i++) {
		sim_pass(100);
		send_part(sim.client, b.at + i, 1);
	}
	ck_assert_ptr_nonnull(strstr(sim.noted, "\nabcd|text|nil|\n"));
	ck_assert_ptr_nonnull(strstr(sim.noted, "first 2 bytes: timeout|\n"));
	ck_assert_ptr_nonnull(strstr(sim.noted, "2 byte payload length: timeout|\n"));
	ck_assert_ptr_nonnull(strstr(sim.noted, "masking-len and payload: timeout|\n"));
	sim_end();
}
END_TEST

/* ---- peers that take nothing ---- */

static const char senders[] =
        "local opts = { timeout = 1000, max_payload_len = 2^30 }\n" SERVER
        "local big = ('x'):rep(60000)\n"
        "local threads = {}\n"
        "for i = 1, 6 do\n"
        "    threads[i] = ngx.thread.spawn(function () note(i, wb:send_binary(i .. big)) end)\n"
        "end\n"
        "if option(0) > 0 then note('kill', ngx.thread.kill(threads[option(0)])) end\n"
        "if option(1) > 0 then wb.sock = nil wb[1] = nil threads = nil collectgarbage() "
        "collectgarbage() end\n"
        "note('recv', wb:recv_frame())\n";

static unsigned count_noted(const char *text)
{
	unsigned n = 0;
	for (const char *at = sim.noted; (at = strstr(at, text)); at += strlen(text))
		n++;
	return n;
}

START_TEST(senders_wait_in_their_order)
{
	static uint8_t sent[1 << 20];
	sim_start(senders, 0);
	sim_begin();
	sim_set_window(sim.client, 0);
	sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1);
	sim_turn();
	ck_assert_uint_lt(count_noted("|60005|nil|"), 6);
	for (int i = 0; i < 40; i++) {
		sim_set_window(sim.client, 10000);
		sim_turn();
	}
	sim_set_window(sim.client, SIZE_MAX);
	sim_turn();
	ck_assert_uint_eq(count_noted("|60005|nil|"), 6);
	ck_assert_uint_eq(sim_frames(sim.client, sent), 6 * (60001 + 2));
	for (size_t i = 0; i < 6; i++)
		ck_assert_uint_eq(sent[i * 60003 + 2], '1' + i);
	sim_end();
}
END_TEST

/* One of them is killed, the object is torn apart, the peer resets, time passes: all end. */
START_TEST(senders_end_whatever_comes)
{
	sim_start(senders, 0);
	for (int killed = 0; killed <= 6; killed++) {
		for (int how = 0; how < 8; how++) {
			sim.option[0] = killed;
			sim.option[1] = how & 1;
			sim_begin();
			sim_set_window(sim.client, how & 4 ? 300 : 0);
			sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1);
			sim_turn();
			if (how & 2)
				sim_push_error(sim.client, ECONNRESET);
			for (int i = 0; i < 4; i++)
				sim_pass(1000);
			ck_assert_uint_eq(count_noted("recv|"), 1);
			sim_end();
		}
	}
}
END_TEST

/* ---- one connection after the other ---- */

/* What came of a message is not the beginning of one of the next connection. */
START_TEST(U_06_a_message_ends_with_its_connection)
{
	static const uint8_t begun[] = {0x01, 3, 'a', 'b', 'c'}, rest[] = {0x80, 1, 'd'};
	static const char answer[] = "HTTP/1.1 101 x\r\n\r\n";
	sim_start("local wb = require('resty.websocket.client'):new { whole_messages = true, "
	          "timeout = 100, "
	          "auto_close = true }\n"
	          "for i = 1, 2 do\n"
	          "    note(wb:connect('ws://127.0.0.1:1/'))\n"
	          "    note(wb:recv_frame())\n"
	          "    note(wb.sock:close())\n"
	          "end\n",
	        0);
	sim_begin();
	sim_send(sim.client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 28);
	for (unsigned i = 0; i < 2; i++) {
		sim_turn();
		ck_assert_uint_eq(sim.peers, i + 1);
		sim_send(sim.peer[i], answer, sizeof answer - 1);
		sim_send(sim.peer[i], i ? rest : begun, i ? sizeof rest : sizeof begun);
		sim_pass(100);
	}
	ck_assert_ptr_nonnull(strstr(sim.noted, "first 2 bytes: timeout|\n1|\n"));
	ck_assert_ptr_nonnull(strstr(sim.noted, "|continuation frame without a message|\n"));
	sim_end();
}
END_TEST

/* Sockets that are no connection are read as objects of the script's own are. */
START_TEST(frames_in_the_body_of_a_request)
{
	static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
	static const uint8_t body[] = {0x81, 3, 'a', 'b', 'c', 0x02, 2, 'd', 'e'};
	sim_start("local recv = require('resty.websocket.protocol').recv_frame\n"
	          "local sock, udp = ngx.req.socket(), ngx.socket.udp()\n"
	          "note(recv(sock, 100)) note(recv(sock, 100)) note(recv(sock, 100))\n"
	          "note((pcall(recv, udp, 100)))\n",
	        0);
	sim_begin();
	sim_send(sim.client, head, sizeof head - 1);
	sim_send(sim.client, body, 6);
	sim_turn();
	sim_send(sim.client, body + 6, sizeof body - 6);
	sim_turn();
	expect_noted("abc|text|nil|\nde|binary|again|\n"
	             "nil|nil|failed to receive the first 2 bytes: closed|\ntrue|\n");
	sim_end();
}
END_TEST

/* ---- memory ---- */

static const char greedy[] =
        "local opts = { max_payload_len = 100000, auto_pong = true, auto_close = true, utf8 = "
        "true,\n"
        "    whole_messages = option(0) > 0, max_message_len = 200000 }\n"
        "local function run()\n" SERVER "    repeat\n"
        "        local data, typ, err = wb:recv_frame()\n"
        "        note(data and #data, typ, err)\n"
        "        if data and typ ~= 'close' then note(wb:send_text(data)) end\n"
        "    until not data\n"
        "end\n"
        "note(pcall(run))\n";

static void play_greedy(const struct bytes *b, const char *plan)
{
	sim_begin();
	ck_assert(fault_plan(plan));
	sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1);
	for (size_t at = 0, n; at < b->len; at += n) {
		n = b->len - at < 7000 ? b->len - at : 7000;
		send_part(sim.client, b->at + at, n);
		if (at % 3 == 0)
			sim_turn();
	}
	sim_finish(sim.client);
	sim_turn();
	fault_plan(NULL);
	sim_end();
}

/* Each allocation that may fail does, and after that all of them: the connection ends, the next one
 * finds all as it was. */
START_TEST(R_02_each_allocation_fails)
{
	static struct bytes b;
	static char want[4096];
	char plan[64];
	sim_start(greedy, 0);
	b.len = 0;
	put_plain(&b, 0x81, 10);
	put_plain(&b, 0x89, 4);
	put_plain(&b, 0x01, 30000);
	put_plain(&b, 0x80, 60000);
	put_plain(&b, 0x82, 70000);
	put_plain(&b, 0x81, 1);
	put_plain(&b, 0x88, 0);
	for (int whole = 0; whole < 2; whole++) {
		sim.option[0] = whole;
		play_greedy(&b, NULL);
		snprintf(want, sizeof want, "%s", sim.noted);
		for (int at = 1; at < 60; at++) {
			for (int count = 1; count < 1000000; count += 999998) {
				snprintf(plan, sizeof plan, "alloc:%d:ENOMEM:%d", at, count);
				play_greedy(&b, plan);
			}
		}
		play_greedy(&b, NULL);
		expect_noted(want);
	}
}
END_TEST

/* A VM that is nearly full: a frame is refused or is given, never half. */
START_TEST(frames_when_the_vm_is_full)
{
	static struct bytes b;
	sim_start("local opts = { max_payload_len = 2^30 }\n" SERVER "local kept, i = {}, 0\n"
	          "while true do\n"
	          "    local data, typ, err = wb:recv_frame()\n"
	          "    if not data then note(i > 10, err) break end\n"
	          "    i = i + 1\n"
	          "    kept[i] = data .. i\n"
	          "end\n",
	        8 << 20);
	b.len = 0;
	put_plain(&b, 0x82, 60000);
	begin_upgraded();
	for (int i = 0; i < 300; i++)
		send_part(sim.client, b.at, b.len);
	sim_finish(sim.client);
	sim_turn();
	sim_end();
	begin_upgraded();
	send_part(sim.client, b.at, b.len);
	sim_finish(sim.client);
	sim_turn();
	ck_assert_ptr_nonnull(
	        strstr(sim.noted, "false|failed to receive the first 2 bytes: closed|"));
	sim_end();
}
END_TEST

/* ---- a script that tears its object apart while it waits ---- */

START_TEST(an_object_that_is_torn_apart)
{
	static const char *const what[] = {"wb[1] = nil wb.sock = nil", "wb.sock = nil",
	        "wb.sock[1] = nil wb.sock[2] = nil wb[1] = nil wb.sock = nil",
	        "wb.sock[1] = nil wb.sock[2] = nil", "setmetatable(wb, nil) wb[1] = wb.sock"};
	static struct bytes b;
	b.len = 0;
	put_plain(&b, 0x82, 9000);
	for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
		char script[500];
		snprintf(script, sizeof script,
		        "local opts = { timeout = 1000, whole_messages = true }\n" SERVER
		        "local t = ngx.thread.spawn(function () note(wb:recv_frame()) end)\n"
		        "%s\ncollectgarbage() collectgarbage()\n"
		        "ngx.thread.wait(t) note('over')",
		        what[i]);
		sim_start(script, 0);
		for (int how = 0; how < 3; how++) {
			begin_upgraded();
			if (how == 1)
				send_part(sim.client, b.at, 3000);
			if (how == 2)
				send_part(sim.client, b.at, b.len);
			sim_pass(1000);
			sim_pass(1000);
			ck_assert_msg(count_noted("over|") == 1, "%s: %s", what[i], sim.noted);
			sim_end();
		}
		sim_stop();
	}
	sim_start(read_all, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {every_split_point, sizes_at_every_bound_of_a_length,
	        F_06_lengths_that_nobody_may_have, limits_that_are_odd_numbers,
	        codes_of_close_frames_that_are_odd_numbers, a_frame_is_resumed_at_every_byte,
	        senders_wait_in_their_order, senders_end_whatever_comes, R_02_each_allocation_fails,
	        frames_when_the_vm_is_full, an_object_that_is_torn_apart,
	        U_06_a_message_ends_with_its_connection, frames_in_the_body_of_a_request};
	return suite_run("lua_frames", tests, sizeof tests / sizeof tests[0], NULL, teardown);
}
