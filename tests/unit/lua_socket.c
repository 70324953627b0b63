/* SPDX-License-Identifier: BSD-2-Clause */

/* Sockets of scripts on simulated streams: odd arguments, patterns at every split point, both
 * halves at once, ends in the midst, pools, memory that fails at each place. */

#include "lua/socket.h"

#include "base/fault.h"
#include "lua_sim.h"
#include "suite.h"

#include <check.h>
#include <errno.h>

#define CONNECT                                        \
	"local sock = ngx.socket.tcp()\n"              \
	"assert(sock:connect('127.0.0.1', 1))\n"       \
	"local function try(f, ...)\n"                 \
	"    note((select(2, pcall(f, sock, ...))))\n" \
	"end\n"

static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

static void teardown(void)
{
	fault_plan(NULL);
	sim_stop();
}

static void begin(void)
{
	sim_begin();
	ck_assert(sim_send(sim.client, request, sizeof request - 1));
	sim_turn();
}

/* Runs a script from its request on, whose peer sends these bytes and ends. */
static void run(const char *script, const char *sent, size_t len)
{
	sim_start(script, 0);
	begin();
	if (sim.peers > 0 && len > 0)
		sim_send(sim.peer[0], sent, len);
	if (sim.peers > 0)
		sim_finish(sim.peer[0]);
	sim_turn();
}

static unsigned count_noted(const char *text)
{
	unsigned n = 0;
	for (const char *at = sim.noted; (at = strstr(at, text)); at += strlen(text))
		n++;
	return n;
}

/* ---- odd arguments ---- */

START_TEST(sizes_that_are_odd_numbers)
{
	run(CONNECT "note('zero', sock:receive(0))\n"
	            "try(sock.receive, -1) try(sock.receive, 0/0) try(sock.receive, -1/0)\n"
	            "try(sock.receive, '*x') try(sock.receive, '*ll') try(sock.receive, {})\n"
	            "try(sock.receive, '*l\\0') try(sock.receive, nil)\n"
	            "try(sock.receiveany, 0) try(sock.receiveany, -1) try(sock.receiveany, 0/0)\n"
	            "try(sock.receiveany, 'x') try(sock.receiveany)\n"
	            "note('digits', sock:receive('2'))\n"
	            "note('fraction', sock:receive(1.9))\n"
	            "note('any', sock:receiveany(2^53))\n",
	        "abcde", 5);
	ck_assert_ptr_nonnull(strstr(sim.noted, "zero||\n"));
	ck_assert_uint_eq(count_noted("bad pattern argument"), 7 + 1);
	ck_assert_uint_eq(count_noted("bad max argument"), 4);
	ck_assert_ptr_nonnull(strstr(sim.noted, "digits|ab|\nfraction|c|\nany|de|\n"));
	sim_end();
}
END_TEST

START_TEST(sizes_that_never_come)
{
	static const char *const sizes[] = {"2^31", "2^32", "2^53", "1/0", "9e18", "2^63"};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char script[400];
		snprintf(script, sizeof script,
		        CONNECT "note(select(2, pcall(sock.receive, sock, %s)))\n"
		                "note('then', sock:receive())",
		        sizes[i]);
		run(script, "abc", 3);
		bool is_told = strstr(sim.noted, "nil|closed|abc|\nthen|nil|closed|\n") ||
		               strstr(sim.noted, "bad pattern argument");
		ck_assert_msg(is_told, "%s: %s", sizes[i], sim.noted);
		sim_end();
		sim_stop();
	}
	sim_start("", 0);
}
END_TEST

START_TEST(timeouts_that_are_odd_numbers)
{
	run(CONNECT
	        "try(sock.settimeout, -1) try(sock.settimeout, 0/0) try(sock.settimeout, 1/0)\n"
	        "try(sock.settimeout, 2^31) try(sock.settimeouts, 1, 1, -1)\n"
	        "try(sock.settimeouts, 1, 0/0, 1) try(sock.settimeout) try(sock.settimeouts, 1)\n"
	        "note(sock:settimeout(2^31 - 1)) note(sock:settimeout('x')) "
	        "note(sock:settimeout(nil))\n"
	        "note(sock:settimeout(0.4)) note(sock:settimeouts(0, nil, 1e-300))\n"
	        "note('read', sock:receive())\n",
	        "ok\n", 3);
	ck_assert_uint_eq(count_noted("bad timeout value"), 6);
	ck_assert_uint_eq(count_noted("but seen"), 2);
	ck_assert_ptr_nonnull(strstr(sim.noted, "\n\n\n\n\n"));
	ck_assert_ptr_nonnull(strstr(sim.noted, "read|ok|\n"));
	sim_end();
}
END_TEST

START_TEST(places_and_pools_that_are_odd)
{
	run("local sock = ngx.socket.tcp()\n"
	    "local function try(...) note(select(2, pcall(sock.connect, sock, ...))) end\n"
	    "try('127.0.0.1') try('127.0.0.1', -1) try('127.0.0.1', 65536) try('127.0.0.1', 0/0)\n"
	    "try('127.0.0.1', 2^53) try('127.0.0.1', 'x') try('127.0.0.1\\0.example', 1)\n"
	    "try('unix:') try('unix:' .. ('x'):rep(200)) try('unix:/tmp/a\\0b')\n"
	    "try(('x'):rep(100000), 1)\n"
	    "try('127.0.0.1', 1, { pool_size = 0 }) try('127.0.0.1', 1, { pool_size = 0/0 })\n"
	    "try('127.0.0.1', 1, { pool_size = 2^40 }) try('127.0.0.1', 1, { backlog = -1 })\n"
	    "try('127.0.0.1', 1, { backlog = 'x' }) try('127.0.0.1', 1, { pool = {} })\n"
	    "try('127.0.0.1', 1, 2, 3)\n"
	    "note('still', sock:connect('127.0.0.1', 1, { pool = '\\0' }))\n"
	    "note(pcall(sock.setkeepalive, sock, 0, 0)) note(pcall(sock.setkeepalive, sock, 0, "
	    "2^32))\n"
	    "note('kept', sock:setkeepalive(0, 1))\n"
	    "note('again', sock:setkeepalive())\n"
	    "for _, ms in ipairs { -1, -2^31, -2^53, -1/0, 0/0, 1/0, 2^31, 2^53, -0.5 } do\n"
	    "sock:connect('127.0.0.1', 1, { pool = 'all', pool_size = 2^31 - 1 })\n"
	    "note('any time', sock:getreusedtimes(), sock:setkeepalive(ms, 0))\n"
	    "end\n"
	    "sock:connect('127.0.0.1', 1, { pool = 'all' }) sock:close()\n",
	        "", 0);
	ck_assert_uint_eq(count_noted("bad port number: "), 4);
	ck_assert_uint_eq(count_noted("missing the port number"), 2);
	ck_assert_uint_eq(count_noted("failed to parse host name"), 4);
	ck_assert_uint_eq(count_noted("bad \"pool_size\" option"), 5);
	ck_assert_uint_eq(count_noted("bad \"backlog\" option"), 2);
	ck_assert_uint_eq(count_noted("bad \"pool\" option"), 1);
	ck_assert_ptr_nonnull(strstr(sim.noted, "still|1|\n"));
	ck_assert_ptr_nonnull(strstr(sim.noted, "kept|1|\nagain|nil|closed|\n"));
	for (int times = 0; times < 9; times++) {
		char said[32];
		snprintf(said, sizeof said, "any time|%d|1|\n", times);
		ck_assert_msg(strstr(sim.noted, said), "%s", sim.noted);
	}
	sim_end();
}
END_TEST

/* ---- patterns ---- */

/* What is expected is looked for in the whole text; what was read is put together from all pieces.
 */
START_TEST(patterns_at_every_split_point)
{
	static const struct {
		const char *pattern, *text;
	} rows[] = {{"--", "a-b---c--"}, {"aab", "aaaaabaab"}, {"aabaab", "aabaaabaabaab"},
	        {"abababc", "abababababc"}, {"\r\n\r\n", "a\r\n\r\r\n\r\nb"}, {"x", "xxayx"},
	        {"aaaa", "aaabaaaab"}, {"abcabd", "abcabcabd"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char script[1200];
		size_t len = strlen(rows[i].text);
		snprintf(script, sizeof script,
		        "local function breaks(s)\n"
		        "    return (s:gsub('!', '\\r\\n'):gsub('?', '\\r'))\n"
		        "end\n"
		        "local text, pattern = breaks '%s', breaks '%s'\n" CONNECT
		        "local from, to = text:find(pattern, 1, true)\n"
		        "local size, inclusive = option(0), option(1) == 1\n"
		        "local read = sock:receiveuntil(pattern, { inclusive = inclusive })\n"
		        "local got = ''\n"
		        "if size == 0 then got = read() else\n"
		        "    for i = 1, 100 do\n"
		        "        local data, err = read(size)\n"
		        "        assert(not err, err)\n"
		        "        if not data then break end\n"
		        "        got = got .. data\n"
		        "    end\n"
		        "end\n"
		        "local want = text:sub(1, inclusive and to or from - 1)\n"
		        "note(got == want or got, sock:receive('*a') == text:sub(to + 1))\n",
		        i == 4 ? "a!?!!b" : rows[i].text, i == 4 ? "!!" : rows[i].pattern);
		sim_start(script, 0);
		for (int how = 0; how < 8; how++) {
			sim.option[0] = how / 2;
			sim.option[1] = how & 1;
			for (size_t at = 0; at <= len; at++) {
				begin();
				sim_send(sim.peer[0], rows[i].text, at);
				sim_turn();
				sim_send(sim.peer[0], rows[i].text + at, len - at);
				sim_finish(sim.peer[0]);
				sim_turn();
				ck_assert_msg(strcmp(sim.noted, "true|true|\n") == 0,
				        "%s in %s, %d, cut at %zu: %s", rows[i].pattern,
				        rows[i].text, how, at, sim.noted);
				sim_end();
			}
		}
		sim_stop();
	}
	sim_start("", 0);
}
END_TEST

/* ---- both halves at once, and a third one ---- */

static const char duplex[] = CONNECT
        "sock:settimeout(1000)\n"
        "local reader = ngx.thread.spawn(function () note('read', sock:receive(option(2))) end)\n"
        "local writer = ngx.thread.spawn(function () note('sent', sock:send(('x'):rep(300000))) "
        "end)\n"
        "note('busy', sock:receive(), sock:send('y'))\n"
        "note('busy', sock:close(), sock:setkeepalive(), sock:connect('127.0.0.1', 1))\n"
        "note('busy', sock:sslhandshake())\n"
        "if option(0) == 1 then note(ngx.thread.kill(reader)) end\n"
        "if option(0) == 2 then note(ngx.thread.kill(writer)) end\n"
        "if option(0) == 3 then ngx.exit(200) end\n"
        "if option(0) == 4 then note(ngx.thread.kill(reader), ngx.thread.kill(writer)) end\n"
        "if option(0) == 5 then sock[1] = nil sock = nil collectgarbage() collectgarbage() end\n"
        "if option(0) == 6 then error({}) end\n"
        "ngx.thread.wait(reader) ngx.thread.wait(writer)\n"
        "note('after', sock and sock:send('z'))\n"
        "if sock then note(sock:connect('127.0.0.1', 1)) note(sock:getreusedtimes()) end\n"
        "note('over')\n";

START_TEST(both_halves_at_once_whatever_comes)
{
	sim_start(duplex, 0);
	for (int does = 0; does <= 6; does++) {
		for (int peer = 0; peer < 6; peer++) {
			sim.option[0] = does;
			sim.option[2] = 4;
			begin();
			if (sim.peers == 1 && !sim_is_released(sim.peer[0], NULL)) {
				if (peer == 1)
					sim_push_error(sim.peer[0], ECONNRESET);
				if (peer == 2)
					sim_finish(sim.peer[0]);
				if (peer == 3)
					sim_send(sim.peer[0], "abcdef", 6);
				if (peer == 4)
					sim_fail_sends(sim.peer[0], EPIPE);
				if (peer == 5)
					sim_push_error(sim.client, ECONNRESET);
			}
			for (int i = 0; i < 5; i++)
				sim_pass(1000);
			ck_assert_uint_eq(count_noted("busy|"), 3);
			ck_assert_msg(count_noted("over|") == 1 || does == 3 || does == 6,
			        "%d %d: %s", does, peer, sim.noted);
			sim_end();
		}
	}
}
END_TEST

/* The peer takes nothing: the writer waits until it does, or for its time. */
static const char sends[] =
        CONNECT "sock:settimeout(1000)\n"
                "local t = ngx.thread.spawn(function () note('read', sock:receive(4)) end)\n"
                "for i = 1, 4 do note('sent', sock:send(('x'):rep(60000))) end\n"
                "ngx.thread.wait(t)\n"
                "note('over', sock:close())\n";

static struct stream *connect_closed(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	struct stream *s = sim_connect(w, to, o);
	if (s)
		sim_set_window(s, 0);
	return s;
}

START_TEST(a_peer_that_takes_nothing)
{
	for (int how = 0; how < 4; how++) {
		sim_start(sends, 0);
		struct upstream_worker *u = sim.worker->layer[WORKER_UPSTREAM];
		u->connect = connect_closed;
		begin();
		ck_assert_uint_lt(count_noted("sent|60000|"), 4);
		if (how == 1)
			sim_set_window(sim.peer[0], SIZE_MAX);
		if (how == 2)
			sim_push_error(sim.peer[0], ECONNRESET);
		if (how == 3)
			sim_finish(sim.peer[0]);
		sim_turn();
		if (how == 1)
			ck_assert_uint_eq(count_noted("sent|60000|"), 4);
		sim_send(sim.peer[0], "abcd", 4);
		for (int i = 0; i < 6; i++)
			sim_pass(1000);
		ck_assert_msg(count_noted("over|") == 1, "%d: %s", how, sim.noted);
		sim_end();
		sim_stop();
	}
	sim_start("", 0);
}
END_TEST

/* ---- pools ---- */

/* The place of a connection that has failed is free at once, and its bytes are nobody's. */
static const char pooled[] =
        "local options = { pool = 'p', pool_size = 1, backlog = 1 }\n"
        "local a, b = ngx.socket.tcp(), ngx.socket.tcp()\n"
        "assert(a:connect('127.0.0.1', 1, options))\n"
        "local t = ngx.thread.spawn(function () note('place', b:connect('127.0.0.1', 1, options), "
        "b:getreusedtimes()) note('b read', b:receive()) end)\n"
        "if option(0) == 0 then note('a', a:receive(2), a:setkeepalive())\n"
        "elseif option(0) == 1 then note('a', a:receive(), a:close())\n"
        "elseif option(0) == 2 then note('a', a:receive(1)) a = nil collectgarbage() "
        "collectgarbage()\n"
        "elseif option(0) == 3 then note('a', a:receive(1), a:setkeepalive()) a:close() end\n"
        "ngx.thread.wait(t)\n"
        "note('over')\n";

START_TEST(a_place_in_a_pool_goes_on)
{
	sim_start(pooled, 0);
	for (int how = 0; how < 4; how++) {
		for (int peer = 0; peer < 3; peer++) {
			sim.option[0] = how;
			begin();
			if (peer == 0)
				sim_send(sim.peer[0], "ab", 2);
			if (peer == 1)
				sim_push_error(sim.peer[0], ECONNRESET);
			if (peer == 2) {
				sim_send(sim.peer[0], "ab", 2);
				sim_finish(sim.peer[0]);
			}
			sim_turn();
			sim_turn();
			ck_assert_msg(how == 1 && peer == 0 ? true : count_noted("place|1|") == 1,
			        "%d %d: %s", how, peer, sim.noted);
			for (unsigned i = 0; i < sim.peers; i++) {
				sim_send(sim.peer[i], "late\n", 5);
				sim_finish(sim.peer[i]);
			}
			sim_turn();
			sim_turn();
			for (unsigned i = 0; i < sim.peers; i++)
				sim_finish(sim.peer[i]);
			sim_turn();
			ck_assert_msg(count_noted("over|") == 1, "%d %d: %s", how, peer, sim.noted);
			ck_assert_uint_eq(count_noted("b read|ab"), 0);
			sim_end();
		}
	}
}
END_TEST

/* ---- memory ---- */

static const char busy[] =
        "local function use(sock)\n"
        "    sock:settimeout(1000)\n"
        "    local t = ngx.thread.spawn(function () return sock:send(('y'):rep(200000)) end)\n"
        "    note(sock:receive()) note(sock:receive(70000))\n"
        "    local read = sock:receiveuntil('--') note(read(3)) note(read(1000000)) note(read())\n"
        "    note(ngx.thread.wait(t))\n"
        "    note(sock:setkeepalive()) note(sock:close())\n"
        "end\n"
        "for i = 1, 2 do\n"
        "    local sock = ngx.socket.tcp()\n"
        "    local ok, err = sock:connect('127.0.0.1', 1, { pool = 'p', pool_size = 1, backlog = 1 "
        "})\n"
        "    note(ok, err)\n"
        "    if ok then use(sock) end\n"
        "    sock:close()\n"
        "end\n"
        "local u = ngx.socket.udp()\n"
        "note(u:setpeername('127.0.0.1', 9)) note(u:send('x')) note(u:close())\n"
        "ngx.req.read_body() ngx.header.x = ('x'):rep(1000) ngx.print(('z'):rep(100000))\n";

static void play_busy(const char *plan)
{
	static char big[20000];
	memset(big, 'x', sizeof big);
	sim_begin();
	ck_assert(fault_plan(plan));
	sim_send(sim.client, request, sizeof request - 1);
	for (unsigned i = 0; i < SIM_PEERS; i++) {
		sim_turn();
		if (i >= sim.peers)
			continue;
		sim_send(sim.peer[i], "line\r\n", 6);
		for (int n = 0; n < 4; n++) {
			sim_send(sim.peer[i], big, sizeof big);
			sim_turn();
		}
		sim_send(sim.peer[i], "abcde--", 7);
		sim_turn();
		sim_pass(1000);
		sim_finish(sim.peer[i]);
		sim_turn();
	}
	sim_pass(1000);
	sim_pass(1000);
	fault_plan(NULL);
	sim_end();
}

START_TEST(R_02_each_allocation_fails)
{
	char plan[64], want[4096];
	sim_start(busy, 0);
	play_busy(NULL);
	snprintf(want, sizeof want, "%.4000s", sim.noted);
	for (int at = 1; at < 120; at++) {
		for (int count = 1; count < 1000000; count += 999998) {
			snprintf(plan, sizeof plan, "alloc:%d:ENOMEM:%d", at, count);
			play_busy(plan);
		}
	}
	play_busy(NULL);
	ck_assert(strncmp(sim.noted, want, strlen(want)) == 0);
}
END_TEST

/* A peer that sends without end what a script reads to its end: the VM's limit is the end of that.
 */
START_TEST(R_10_a_peer_without_end)
{
	static const char *const reads[] = {"sock:receive('*a')", "sock:receive()",
	        "sock:receiveuntil('never')()", "sock:receive(2^40)"};
	static char big[60000];
	memset(big, 'x', sizeof big);
	for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
		char script[300];
		snprintf(script, sizeof script, CONNECT "note(%s)", reads[i]);
		sim_start(script, 8 << 20);
		begin();
		size_t sent = 0;
		while (sent < 64 << 20 && sim_send(sim.peer[0], big, sizeof big))
			sent += sizeof big;
		ck_assert_msg(sent < 32 << 20, "%s", reads[i]);
		sim_turn();
		ck_assert_str_eq(sim.noted, "nil|no memory|\n");
		sim_end();
		sim_stop();
	}
	sim_start("", 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {sizes_that_are_odd_numbers, sizes_that_never_come,
	        timeouts_that_are_odd_numbers, places_and_pools_that_are_odd,
	        patterns_at_every_split_point, both_halves_at_once_whatever_comes,
	        a_peer_that_takes_nothing, a_place_in_a_pool_goes_on, R_02_each_allocation_fails,
	        R_10_a_peer_without_end};
	return suite_run("lua_socket", tests, sizeof tests / sizeof tests[0], NULL, teardown);
}
