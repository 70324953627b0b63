/* SPDX-License-Identifier: BSD-2-Clause */

/* Sockets and WebSockets of a script in whatever order: made, connected, read, written, closed,
 * pooled, dropped, torn apart, from several threads, timers and the garbage collector, while peers
 * send, take nothing, end, time passes, and memory fails. Input: a byte that says how many calls
 * the script makes, what it begins as, and whether memory fails, where the last byte says; two
 * bytes for each call; two for each move of a peer.
 *
 * Nothing is touched after its end, and when all have ended nothing is left. */

#define SIM_PEERS_MAX 12
#include "../unit/lua_sim.h"

#include "base/fault.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char script[] =
        "local client, server = require 'resty.websocket.client', require "
        "'resty.websocket.server'\n"
        "local recv_frame = require 'resty.websocket.protocol'.recv_frame\n"
        "local spawn, kill, wait = ngx.thread.spawn, ngx.thread.kill, ngx.thread.wait\n"
        "local socks, threads, objects, calls = {}, {}, {}, calls()\n"
        "local function run(f, ...)\n"
        "    if not f then return end\n"
        "    if #threads > 20 then pcall(kill, table.remove(threads, 1)) end\n"
        "    threads[#threads + 1] = spawn(pcall, f, ...)\n"
        "end\n"
        "local reads = { '*l', '*a', 0, 1, 5, 3000, 70000 }\n"
        "local acts = {\n"
        "    function (i) socks[i] = ngx.socket.tcp() end,\n"
        "    function (i, n)\n"
        "        local o = n % 4 == 1 and { pool = 'p', pool_size = 1, backlog = 2 } or n % 4 == 2 "
        "and { pool_size = 2 } or {}\n"
        "        socks[i] = socks[i] or ngx.socket.tcp()\n"
        "        run(socks[i].connect, socks[i], '127.0.0.1', 1, o)\n"
        "    end,\n"
        "    function (i, n) run(socks[i].send, socks[i], ('x'):rep(n * n * 4)) end,\n"
        "    function (i, n) run(socks[i].receive, socks[i], reads[n % #reads + 1]) end,\n"
        "    function (i, n) local read = socks[i]:receiveuntil(n % 2 == 0 and 'ab' or 'x') "
        "run(read, n % 5) end,\n"
        "    function (i, n) run(socks[i].receiveany, socks[i], n + 1) end,\n"
        "    function (i) socks[i]:close() end,\n"
        "    function (i, n) socks[i]:setkeepalive(n * 10, n % 3 + 1) end,\n"
        "    function (i, n) kill(threads[n % #threads + 1]) end,\n"
        "    function (i, n) wait(threads[n % #threads + 1]) end,\n"
        "    function () collectgarbage() end,\n"
        "    function (i, n) socks[i][n % 2 + 1] = nil end,\n"
        "    function (i) socks[i] = nil end,\n"
        "    function (i, n)\n"
        "        objects[i] = client:new { timeout = n * 7 + 1, whole_messages = n % 2 == 0, "
        "auto_pong = n % 4 == 0,\n"
        "            auto_close = n % 3 == 0, utf8 = n % 5 == 0 }\n"
        "        socks[i] = objects[i].sock\n"
        "    end,\n"
        "    function (i, n) run(objects[i].connect, objects[i], 'ws://127.0.0.1:1/', n % 2 == 0 "
        "and { pool = 'p' } or nil) end,\n"
        "    function (i) run(objects[i].recv_frame, objects[i]) end,\n"
        "    function (i, n) run(objects[i].send_text, objects[i], ('y'):rep(n * n)) end,\n"
        "    function (i, n) run(objects[i].send_close, objects[i], 1000 + n, 'x') end,\n"
        "    function (i) run(objects[i].close, objects[i]) end,\n"
        "    function (i) run(objects[i].set_keepalive, objects[i], 1000) end,\n"
        "    function (i, n) if n % 2 == 0 then objects[i].sock = nil else objects[i][1] = nil end "
        "end,\n"
        "    function (i) objects[i].fatal, objects[i].closed = nil, nil end,\n"
        "    function (i) objects[i] = nil end,\n"
        "    function (i) run(recv_frame, socks[i], 1000) end,\n"
        "    function () ngx.sleep(0) end,\n"
        "    function (i, n) ngx.sleep(n / 1000) end,\n"
        "    function (i, n) socks[i]:settimeouts(n, n * 2, n * 3) end,\n"
        "    function (i) local s, o = socks[i], objects[i] ngx.timer.at(0, function ()\n"
        "        if s then pcall(s.receive, s) pcall(s.close, s) pcall(s.connect, s, '127.0.0.1', "
        "1) end\n"
        "        if o then pcall(o.recv_frame, o) end\n"
        "    end) end,\n"
        "    function (i) socks[i] = ngx.req.socket(true) end,\n"
        "    function (i, n) objects[i] = server:new { timeout = n * 5 + 1, auto_close = n % 2 == "
        "0 }\n"
        "        socks[i] = objects[i] and objects[i].sock end,\n"
        "    function () run(error, {}) end,\n"
        "    function (i) socks[i]:shutdown('send') end,\n"
        "    function (i, n) run(ngx.say, ('z'):rep(n * n)) run(ngx.flush, true) end,\n"
        "    function (i) run(coroutine.wrap(function () socks[i]:receive() end)) end,\n"
        "    function (i) run(ngx.req.read_body) end,\n"
        "    function (i) socks[i] = ngx.req.socket() end,\n"
        "    function (i) socks[i], socks[(i + 1) % 3] = socks[(i + 1) % 3], socks[i] end,\n"
        "    function (i) run(socks[i].sslhandshake, socks[i]) end,\n"
        "    function (i, n) if n > 200 then ngx.exit(n % 2 == 0 and 444 or 200) end end,\n"
        "    function (i, n) if n > 250 then error('over') end end,\n"
        "}\n"
        "for at = 1, #calls - 1, 2 do\n"
        "    local n = calls:byte(at + 1)\n"
        "    pcall(acts[calls:byte(at) % #acts + 1], n % 3, n)\n"
        "end\n"
        "if calls:byte(1) and calls:byte(1) > 127 then for _, t in ipairs(threads) do pcall(wait, "
        "t) end end\n";

static const uint8_t *calls;
static size_t calls_len;

static int l_calls(lua_State *L)
{
	lua_pushlstring(L, (const char *)calls, calls_len);
	return 1;
}

static const char answer[] = "HTTP/1.1 101 x\r\n\r\n";
static const uint8_t frames[] = {
        0x81, 2, 'h', 'i', 0x01, 1, 'a', 0x89, 0, 0x80, 1, 'b', 0x88, 2, 3, 232};
static const uint8_t masked[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i', 0x89, 0x80, 0, 0, 0, 0};

static void move(uint8_t how, uint8_t with)
{
	static char many[20000];
	unsigned i = with % (sim.peers + 1);
	struct stream *s = i == sim.peers ? sim.client : sim.peer[i];
	bool is_gone = sim_is_released(s, NULL);
	switch (how % 12) {
	case 0:
	case 1:
		sim_turn();
		break;
	case 2:
		sim_pass(with * 10u);
		break;
	case 3:
		sim_send(s, "abx\nab\r\n", 8);
		break;
	case 4:
		memset(many, 'x', sizeof many);
		sim_send(s, many, sizeof many);
		break;
	case 5:
		sim_send(s, answer, sizeof answer - 1);
		break;
	case 6:
		sim_send(s, frames, 1 + with % sizeof frames);
		break;
	case 7:
		sim_send(s, masked, 1 + with % sizeof masked);
		break;
	case 8:
		sim_finish(s);
		break;
	case 9:
		if (!is_gone)
			sim_push_error(s, ECONNRESET);
		break;
	case 10:
		if (!is_gone)
			sim_set_window(s, with % 2 ? with * 3u : SIZE_MAX);
		break;
	default:
		if (!is_gone && with > 128)
			sim_fail_sends(s, EPIPE);
		break;
	}
}

/* All timeouts are over, and the pools' connections with them. */
static void settle(void)
{
	sim_finish(sim.client);
	for (int i = 0; i < 40; i++)
		sim_pass(61 * 1000);
	for (unsigned i = 0; i < sim.peers; i++)
		sim_finish(sim.peer[i]);
	sim_pass(61 * 1000);
}

/* One allocation fails, or all from one on. */
static void fail_some(uint8_t which)
{
	char plan[32];
	snprintf(
	        plan, sizeof plan, "alloc:%u:ENOMEM:%u", which / 2u + 1, which & 1 ? 1u : 1000000u);
	SIM_CHECK(fault_plan(plan));
}

static void stop(void)
{
	sim_stop();
}

/* As in lua_frames.c. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char upgrade[] = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
	if (!sim.worker) {
		sim_start(script, 0);
		sim_set_global("calls", l_calls);
		atexit(stop);
	}
	if (size < 4)
		return 0;
	calls_len = 2 * (size_t)(data[0] / 4) < size - 1 ? 2 * (size_t)(data[0] / 4) : size - 1;
	calls = data + 1;
	sim_begin();
	if (data[0] & 2)
		fail_some(data[size - 1]);
	if (data[0] & 1)
		sim_send(sim.client, upgrade, sizeof upgrade - 1);
	else
		sim_send(sim.client, sim_upgrade, sizeof sim_upgrade - 1);
	for (size_t at = 1 + calls_len; at + 1 < size; at += 2)
		move(data[at], data[at + 1]);
	fault_plan(NULL);
	settle();
	sim_end();
	return 0;
}
