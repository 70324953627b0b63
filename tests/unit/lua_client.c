/* SPDX-License-Identifier: BSD-2-Clause */

/* Requests to a handler on simulated streams: heads at their limits, bodies and answers while
 * memory fails, clients that take nothing or go. */

#include "lua/client.h"

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

static unsigned count_sent(const char *text)
{
	struct slice got = sim_sent(sim.client);
	unsigned n = 0;
	for (const uint8_t *at = got.at; at && got.len > 0;) {
		at = memmem(got.at, got.len, text, strlen(text));
		if (!at)
			break;
		n++;
		got = slice_of(at + 1, got.len - (size_t)(at + 1 - got.at));
	}
	return n;
}

/* ---- heads ---- */

static void expect_answer(const char *head, size_t len)
{
	static const struct {
		const char *script;
	} rows[] = {{"ngx.say(#ngx.req.raw_header())"},
	        {"ngx.req.set_header('B', 'c') ngx.say(ngx.var.http_b)"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		sim_start(rows[i].script, 0);
		sim_begin();
		ck_assert(sim_send(sim.client, head, len));
		sim_turn();
		/* What the script adds may be too much; the process lives, and says so. */
		ck_assert_uint_eq(count_sent("HTTP/1.1 200 OK") + count_sent("HTTP/1.1 500 "), 1);
		if (i == 0)
			ck_assert_uint_eq(count_sent("HTTP/1.1 200 OK"), 1);
		sim_end();
		sim_stop();
	}
}

START_TEST(H_07_heads_at_their_limits)
{
	static char head[HTTP_HEAD_MAX];
	static const char first[] = "GET / HTTP/1.1\r\nHost:x\r\n";
	size_t n = sizeof first - 1;
	memcpy(head, first, n);
	/* A line of all it may have, without a blank. */
	memcpy(head + n, "A:", 2);
	memset(head + n + 2, 'v', HTTP_LINE_MAX - 2);
	memcpy(head + n + HTTP_LINE_MAX, "\r\n\r\n", 4);
	expect_answer(head, n + HTTP_LINE_MAX + 4);
	/* As many lines as there may be. */
	for (int i = 1; i < HTTP_LINES_MAX; i++, n += 6)
		memcpy(head + n, "A:12\r\n", 6);
	memcpy(head + n, "\r\n", 2);
	expect_answer(head, n + 2);
	/* All bytes there may be, in as many lines as fit. */
	n = sizeof first - 1;
	size_t left = sizeof head - n - 2, lines = HTTP_LINES_MAX - 1, len = left / lines;
	for (size_t i = 0; i < lines; i++, n += len) {
		len = i + 1 < lines ? left / lines : sizeof head - n - 2;
		memset(head + n, 'v', len);
		memcpy(head + n, "A:", 2);
		memcpy(head + n + len - 2, "\r\n", 2);
	}
	memcpy(head + n, "\r\n", 2);
	ck_assert_uint_eq(n + 2, sizeof head);
	expect_answer(head, sizeof head);
	sim_start("", 0);
}
END_TEST

/* ---- memory ---- */

static const char script[] =
        "local kind = option(0)\n"
        "if kind == 0 then ngx.req.read_body() note(ngx.req.get_body_data())\n"
        "elseif kind == 1 then local s = ngx.req.socket() note(s and s:receive('*a'))\n"
        "elseif kind == 2 then local s = ngx.req.socket() note(s and s:receive(5)) end\n"
        "for i = 1, 3 do ngx.header['X-' .. i] = ('x'):rep(300) end\n"
        "ngx.req.set_header('X-A', 'b') ngx.ctx.a = 1 ngx.var.b = ngx.var.http_x_a\n"
        "ngx.say(('y'):rep(20000)) ngx.flush(true) ngx.say('z')\n"
        "ngx.on_abort(function () ngx.exit(499) end)\n"
        "ngx.sleep(0)\n";

static const char requests[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n%03000d"
                               "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                               "chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: 1\r\n\r\n"
                               "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

static void play(const char *plan)
{
	char text[4096];
	size_t len = (size_t)snprintf(text, sizeof text, requests, 7);
	sim_begin();
	ck_assert(fault_plan(plan));
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at < 700 ? len - at : 700;
		sim_send(sim.client, text + at, n);
		if (at % 3 != 1)
			sim_turn();
	}
	for (int i = 0; i < 12; i++)
		sim_turn();
	fault_plan(NULL);
}

START_TEST(R_02_each_allocation_fails)
{
	/* A body that was read in part, and a chunked one that was not read, end the connection. */
	static const unsigned answers[] = {3, 3, 1, 2};
	char plan[64];
	sim_start(script, 0);
	for (int kind = 0; kind < 4; kind++) {
		sim.option[0] = kind;
		play(NULL);
		ck_assert_uint_eq(count_sent("HTTP/1.1 200 OK"), answers[kind]);
		sim_end();
		for (int at = 1; at < 70; at++) {
			for (int count = 1; count < 1000000; count += 999998) {
				snprintf(plan, sizeof plan, "alloc:%d:ENOMEM:%d", at, count);
				play(plan);
				sim_end();
			}
		}
		play(NULL);
		ck_assert_uint_eq(count_sent("HTTP/1.1 200 OK"), answers[kind]);
		sim_end();
	}
}
END_TEST

/* ---- clients ---- */

/* Whatever the client does after each byte of its requests, and however little it takes, all ends.
 */
START_TEST(R_04_clients_that_go_at_every_byte)
{
	char text[4096];
	size_t len = (size_t)snprintf(text, sizeof text, requests, 7);
	sim_start(script, 0);
	for (size_t cut = 0; cut <= len; cut += cut > 60 && cut < 3000 ? 97 : 1) {
		for (int how = 0; how < 6; how++) {
			sim.option[0] = (int)(cut % 4);
			sim_begin();
			if (how & 1)
				sim_set_window(sim.client, 100);
			if (cut > 0)
				sim_send(sim.client, text, cut);
			if (how < 4)
				sim_turn();
			if (how < 2)
				sim_finish(sim.client);
			else
				sim_push_error(sim.client, ECONNRESET);
			for (int i = 0; i < 4; i++)
				sim_turn();
			sim_pass(60000);
			sim_pass(60000);
			sim_end();
		}
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {H_07_heads_at_their_limits, R_02_each_allocation_fails,
	        R_04_clients_that_go_at_every_byte};
	return suite_run("lua_client", tests, sizeof tests / sizeof tests[0], NULL, teardown);
}
