/* SPDX-License-Identifier: BSD-2-Clause */

/* Requests of one connection that a handler answers. Input: a byte that says what the handler does,
 * one for the cuts, what the client sends.
 *
 * However that is cut, also while the handler waits, the answers are the same, and so is what it
 * reads: no byte of a body is taken for a request, none of a request is lost. Nothing is left at
 * the end. */

#include "../unit/lua_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_MAX = 8 * 1024, TURNS_MAX = 2000, TURNS_QUIET = 6 };

static const char script[] = "local mode, flags = option(0) % 8, option(0)\n"
                             "local function has(flag) return bit.band(flags, flag) ~= 0 end\n"
                             "note(ngx.req.get_method(), ngx.var.request_uri, "
                             "ngx.req.http_version(), ngx.req.raw_header())\n"
                             "if has(8) then ngx.req.clear_header('Content-Length') "
                             "ngx.req.clear_header('Transfer-Encoding') end\n"
                             "if has(16) then ngx.sleep(0) end\n"
                             "if has(32) then ngx.say('first') ngx.flush(true) end\n"
                             "if mode == 1 then\n"
                             "    ngx.req.read_body()\n"
                             "    note(ngx.req.get_body_data())\n"
                             "elseif mode == 2 or mode == 3 then\n"
                             "    local sock, err = ngx.req.socket()\n"
                             "    note(err)\n"
                             "    if sock then note(sock:receive(mode == 2 and '*a' or 3)) end\n"
                             "elseif mode == 4 then\n"
                             "    ngx.exit(204)\n"
                             "elseif mode == 5 then\n"
                             "    ngx.header.content_length = 3\n"
                             "    ngx.print('abc')\n"
                             "    ngx.eof()\n"
                             "elseif mode == 6 then\n"
                             "    pcall(ngx.req.set_header, 'Content-Length', '3')\n"
                             "    pcall(ngx.req.set_method, ngx.HTTP_PUT)\n"
                             "    pcall(ngx.req.set_uri, '/other')\n"
                             "    ngx.req.read_body()\n"
                             "    note(ngx.req.get_body_data())\n"
                             "elseif mode == 7 then\n"
                             "    local sock = ngx.req.socket(true)\n"
                             "    if sock then\n"
                             "        local line = sock:receive()\n"
                             "        note(line)\n"
                             "        sock:send { 'HTTP/1.1 200 OK\\r\\n\\r\\n', line or 'none' }\n"
                             "    end\n"
                             "    return\n"
                             "end\n"
                             "if has(64) then ngx.sleep(0) end\n"
                             "ngx.say(ngx.var.request_uri)\n";

struct outcome {
	size_t noted_len, sent_len;
	char *noted;
	uint8_t *sent;
};

/* Until nothing more happens by itself. */
static void settle(void)
{
	size_t before = SIZE_MAX;
	for (int i = 0, quiet = 0; i < TURNS_MAX && quiet < TURNS_QUIET; i++) {
		sim_turn();
		size_t now = sim_sent(sim.client).len + sim.noted_len;
		quiet = now == before ? quiet + 1 : 0;
		before = now;
	}
}

static void push(const uint8_t *at, size_t len)
{
	for (int i = 0; i < TURNS_MAX && !sim_send(sim.client, at, len); i++) {
		if (sim_is_released(sim.client, NULL))
			return;
		sim_turn();
	}
}

/* cuts: 0 = in one piece */
static void run(const uint8_t *at, size_t len, uint8_t cuts, struct outcome *o)
{
	uint32_t dice = cuts;
	sim_begin();
	for (size_t done = 0, n; done < len; done += n) {
		dice = dice * 1664525 + 1013904223;
		n = cuts == 0 ? len : 1 + (dice >> 20) % (cuts & 1 ? 3 : 2 * cuts);
		n = n < len - done ? n : len - done;
		push(at + done, n);
		if (dice & 1 << 16)
			sim_turn();
	}
	settle();
	sim_finish(sim.client);
	settle();
	o->noted_len = sim.noted_len;
	o->noted = realloc(o->noted, sim.noted_len + 1);
	memcpy(o->noted, sim.noted, sim.noted_len);
	struct slice sent = sim_sent(sim.client);
	o->sent_len = sent.len;
	o->sent = realloc(o->sent, sent.len + 1);
	if (sent.len > 0)
		memcpy(o->sent, sent.at, sent.len);
	sim_end();
}

static struct outcome whole, cut;

static size_t common(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A body that is read in part, and has not come to its end, ends the connection: then the answers
 * of one are the first ones of the other. */
static void compare(bool is_part)
{
	size_t noted = common(whole.noted_len, cut.noted_len);
	size_t sent = common(whole.sent_len, cut.sent_len);
	SIM_CHECK(is_part || (whole.noted_len == cut.noted_len && whole.sent_len == cut.sent_len));
	SIM_CHECK(memcmp(whole.noted, cut.noted, noted) == 0);
	SIM_CHECK(memcmp(whole.sent, cut.sent, sent) == 0);
}

static void stop(void)
{
	sim_stop();
	free(whole.noted);
	free(whole.sent);
	free(cut.noted);
	free(cut.sent);
}

/* As in lua_frames.c. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!sim.worker) {
		sim_start(script, 0);
		atexit(stop);
	}
	if (size < 3)
		return 0;
	size_t len = size - 2 < STREAM_MAX ? size - 2 : STREAM_MAX;
	sim.option[0] = data[0];
	run(data + 2, len, 0, &whole);
	run(data + 2, len, data[1] | 1, &cut);
	compare(data[0] % 8 == 3);
	run(data + 2, len, data[1] | 2, &cut);
	compare(data[0] % 8 == 3);
	return 0;
}
