/* SPDX-License-Identifier: BSD-2-Clause */

/* Finalizers of scripts that meddle with what is being worked on. */

#include "lua/socket.h"

#include "lua_sim.h"
#include "suite.h"

#include <check.h>

static void teardown(void)
{
	sim_stop();
}

static const char *const meddling[] = {
        "sock:close()",
        "sock:receive(3)",
        "sock:receive('*a')",
        "sock:receiveany(100)",
        "sock:setkeepalive()",
        "sock:send('x')",
        "sock:connect('127.0.0.1', 2)",
        "wb:recv_frame()",
        "wb:send_text('y')",
        "wb:close()",
        "wb:connect('ws://127.0.0.1:2/')",
        "debug.getmetatable(sock[1]).__gc(sock[1])",
        "do local s = sock[1] sock[1] = nil s = nil collectgarbage() collectgarbage() end",
        "collectgarbage()",
        "collectgarbage('step', 1000)",
        "pcall(ngx.exit, 500)",
        "ngx.say('x')",
        "ngx.thread.spawn(function () sock:close() end)",
        "coroutine.wrap(function () sock:close() end)()",
        "ngx.req.socket(true)",
};

/* So many finalizers are due that the collector runs one at whatever allocates: what it meddles
 * with is being received or sent just then. */
static const char script[] =
        "collectgarbage('setstepmul', 1000000)\n"
        "local client = require 'resty.websocket.client'\n"
        "local wb = client:new{ max_payload_len = 100000, whole_messages = option(2) == 1 }\n"
        "assert(wb:connect('ws://127.0.0.1:1/x'))\n"
        "local sock, is_inside = wb.sock, false\n"
        "local function meddle()\n"
        "    if is_inside then note('gc') is_inside = false %s end\n"
        "end\n"
        "ngx.sleep(0.01)\n"
        "for i = 1, 20 do\n"
        "    local ok, a, b, c\n"
        "    collectgarbage('stop')\n"
        "    for k = 1, 9 do getmetatable(newproxy(true)).__gc = meddle end\n"
        "    collectgarbage('restart')\n"
        "    is_inside = true\n"
        "    if option(1) == 0 then\n"
        "        ok, a, b, c = pcall(wb.recv_frame, wb)\n"
        "    elseif option(1) == 1 then\n"
        "        ok, a, b, c = pcall(sock.receive, sock, 300 + i)\n"
        "    elseif option(1) == 2 then\n"
        "        ok, a, b, c = pcall(sock.receive, sock)\n"
        "    else\n"
        "        ok, a, b, c = pcall(wb.send_text, wb, 345)\n"
        "    end\n"
        "    is_inside = false\n"
        "end\n"
        "note('end')\n";

static void play(const char *text, int way, int whole)
{
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	                             "Connection: upgrade\r\n\r\n";
	sim_start(text, 0);
	sim.option[1] = way;
	sim.option[2] = whole;
	sim_begin();
	ck_assert(sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1));
	sim_turn();
	ck_assert_uint_eq(sim.peers, 1);
	sim_send(sim.peer[0], answer, sizeof answer - 1);
	sim_turn();
	static char frame[5004] = {(char)0x82, 126, 5000 >> 8, (char)(5000 & 0xff)};
	memset(frame + 4, 'a', 5000);
	frame[4 + 2000] = '\n';
	for (int i = 0; i < 8; i++) {
		for (int k = 0; k < 26; k++)
			frame[4 + k] = (char)('a' + (i + k) % 26);
		sim_send(sim.peer[0], frame, sizeof frame);
	}
	sim_turn();
	sim_pass(100);
	sim_pass(100);
	if (sim.peers > 0)
		sim_finish(sim.peer[0]);
	sim_turn();
	sim_pass(100);
	ck_assert_ptr_nonnull(strstr(sim.noted, "end|"));
	ck_assert_uint_eq(sim.lw->vm->finalizers_due, 0);
	sim_end();
	sim_stop();
}

/* A finalizer runs before collectgarbage() is back, and between the script's own lines; what C was
 * at work on when it was due has ended when it runs. */
START_TEST(when_they_run)
{
	sim_start("jit.off() collectgarbage('setpause', 100)\n"
	          "local ran, args = 0, {}\n"
	          "local function make(f) getmetatable(newproxy(true)).__gc = f end\n"
	          "local function proxy()\n"
	          "    make(function () ran = ran + 1 end)\n"
	          "    local a, b, c, d, e, f, g, h -- nor is it where it was on the stack\n"
	          "end\n"
	          "proxy() collectgarbage() note('at once', ran)\n"
	          "proxy() for i = 1, 50000 do local t = {} end note('between lines', ran)\n"
	          "proxy() for i = 1, 50000 do args.a = i ngx.encode_args(args) end\n"
	          "note('within C', ran)\n"
	          "ngx.sleep(0.01) note('behind it', ran)\n"
	          "make(function () error('broken') end)\n"
	          "for i = 1, 50000 do args.b = i ngx.encode_args(args) end\n",
	        0);
	sim_begin();
	ck_assert(sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1));
	sim_turn();
	sim_pass(100);
	ck_assert_str_eq(sim.noted, "at once|1|\nbetween lines|2|\nwithin C|2|\nbehind it|3|\n");
	sim_end();
}
END_TEST

START_TEST(what_is_being_read_and_sent)
{
	for (size_t i = 0; i < sizeof meddling / sizeof meddling[0]; i++) {
		for (int way = 0; way < 4; way++) {
			char text[2000];
			snprintf(text, sizeof text, script, meddling[i]);
			play(text, way, way == 0);
			play(text, way, 0);
		}
	}
	sim_start("", 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {when_they_run, what_is_being_read_and_sent};
	return suite_run("lua_finalizers", tests, sizeof tests / sizeof tests[0], NULL, teardown);
}
