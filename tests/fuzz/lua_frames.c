/* SPDX-License-Identifier: BSD-2-Clause */

/* Scripts that read: resty.websocket.server and .client, a cosocket and the raw connection of a
 * client. Input: a byte that chooses who reads, one for the cuts, one of options (for the sockets:
 * how many reads follow, a byte each), the bytes that come.
 *
 * However these are cut, also when they come behind the head in one piece, the script is given the
 * same, and what it sends is the same. Nothing is left when all have ended. */

#include "../unit/lua_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROLE = 3, OF_SERVER = 0, OF_CLIENT, OF_SOCKET, OF_RAW };
enum { STREAM_MAX = 16 * 1024, READS_MAX = 12, FIRST_READ = 3 };

static const char script[] =
        "local role, flags = option(0), option(1)\n"
        "local function has(bit_) return bit.band(flags, bit_) ~= 0 end\n"
        "local opts = { max_payload_len = has(32) and 100 or 20000, auto_pong = has(1), auto_close "
        "= has(2),\n"
        "    utf8 = has(4), whole_messages = has(8), send_masked = has(128), max_message_len = "
        "has(16) and 300 or nil }\n"
        "local function frames(wb)\n"
        "    for _ = 1, 3000 do\n"
        "        local data, typ, err = wb:recv_frame()\n"
        "        note(data, typ, err)\n"
        "        if not data then break end\n"
        "        if has(64) then\n"
        "            if typ == 'text' or typ == 'continuation' then note(wb:send_text(data))\n"
        "            elseif typ == 'binary' then note(wb:send_frame(err ~= 'again', 2, data))\n"
        "            elseif typ == 'ping' then note(wb:send_pong(data))\n"
        "            elseif typ == 'close' then note(wb:send_close(err, data)) end\n"
        "        end\n"
        "    end\n"
        "    note(wb.fatal, wb.closed, wb:recv_frame())\n"
        "end\n"
        "local patterns = { '\\r\\n', '--', '-----', 'aab', 'aabaab', '\\n', 'x', 'abab' }\n"
        "local function reads(sock)\n"
        "    for i = 1, option(2) do\n"
        "        local op = option(2 + i)\n"
        "        local kind, more = op % 4, math.floor(op / 4)\n"
        "        if kind == 0 then note(sock:receive())\n"
        "        elseif kind == 1 then note(sock:receive(more * more))\n"
        "        elseif kind == 3 then note(sock:receive('*a'))\n"
        "        else\n"
        "            local read = sock:receiveuntil(patterns[more % 8 + 1], { inclusive = more % "
        "16 >= 8 })\n"
        "            local size = math.floor(more / 16)\n"
        "            for _ = 1, size > 0 and 50 or 1 do\n"
        "                local data, err, part\n"
        "                if size > 0 then data, err, part = read(size) else data, err, part = "
        "read() end\n"
        "                note(data, err, part)\n"
        "                if not data then break end\n"
        "            end\n"
        "        end\n"
        "    end\n"
        "    note(sock:receive('*a'))\n"
        "    note(sock:receive())\n"
        "end\n"
        "if role == 0 then\n"
        "    frames(assert(require('resty.websocket.server'):new(opts)))\n"
        "elseif role == 1 then\n"
        "    opts.send_masked, opts.send_unmasked = nil, has(128)\n"
        "    local wb = assert(require('resty.websocket.client'):new(opts))\n"
        "    note(wb:connect('ws://127.0.0.1:1/x', { key = 'AAAAAAAAAAAAAAAAAAAAAA==' }))\n"
        "    local names = {}\n"
        "    for k, v in pairs(wb:get_resp_headers() or {}) do\n"
        "        names[#names + 1] = k .. '=' .. (type(v) == 'table' and table.concat(v, ',') or "
        "v)\n"
        "    end\n"
        "    table.sort(names)\n"
        "    note(wb:get_resp_status_code(), table.concat(names, ' '))\n"
        "    frames(wb)\n"
        "elseif role == 2 then\n"
        "    local sock = ngx.socket.tcp()\n"
        "    note(sock:connect('127.0.0.1', 1))\n"
        "    reads(sock)\n"
        "    note(sock:close())\n"
        "else\n"
        "    reads(assert(ngx.req.socket(true)))\n"
        "end\n"
        "note('over')\n";

struct input {
	unsigned role;
	uint8_t cuts;
	const uint8_t *stream;
	size_t len;
};

struct outcome {
	size_t noted_len, sent_len;
	char *noted;
	uint8_t sent[8 * STREAM_MAX];
};

static bool read_input(struct input *in, const uint8_t *data, size_t size)
{
	if (size < 4)
		return false;
	size_t reads = 0;
	*in = (struct input){.role = data[0] & ROLE, .cuts = data[1]};
	sim.option[0] = (int)in->role;
	sim.option[1] = data[2];
	sim.option[2] = 0;
	if (in->role >= OF_SOCKET) {
		reads = data[2] % (READS_MAX + 1);
		if (size < 3 + reads)
			return false;
		sim.option[2] = (int)reads;
		for (size_t i = 0; i < reads; i++)
			sim.option[FIRST_READ + i] = data[3 + i];
	}
	in->stream = data + 3 + reads;
	in->len = size - 3 - reads < STREAM_MAX ? size - 3 - reads : STREAM_MAX;
	return true;
}

static const char plain[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

/* cuts: 0 = in one piece; with_head: behind the head of the request in one piece. */
static void run(const struct input *in, uint8_t cuts, bool with_head, struct outcome *o)
{
	static uint8_t piece[STREAM_MAX + sizeof sim_upgrade];
	const char *head = in->role == OF_SERVER ? sim_upgrade : plain;
	size_t head_len = strlen(head), done = 0;
	uint32_t dice = cuts;
	sim_begin();
	memcpy(piece, head, head_len);
	if (with_head)
		memcpy(piece + head_len, in->stream, done = in->len);
	sim_send(sim.client, piece, head_len + done);
	bool is_peer = in->role == OF_CLIENT || in->role == OF_SOCKET;
	SIM_CHECK(!is_peer || sim.peers == 1);
	struct stream *from = is_peer ? sim.peer[0] : sim.client;
	while (done < in->len) {
		dice = dice * 1664525 + 1013904223;
		size_t n = cuts == 0 ? in->len : 1 + (dice >> 20) % (cuts & 1 ? 3 : 2 * cuts);
		n = n < in->len - done ? n : in->len - done;
		memcpy(piece, in->stream + done, n);
		sim_send(from, piece, n);
		done += n;
		if (dice & 1 << 16)
			sim_turn();
	}
	sim_finish(from);
	sim_turn();
	SIM_CHECK(sim.noted_len >= 6 && memcmp(sim.noted + sim.noted_len - 6, "over|\n", 6) == 0);
	o->noted_len = sim.noted_len;
	o->noted = realloc(o->noted, sim.noted_len);
	memcpy(o->noted, sim.noted, sim.noted_len);
	o->sent_len = sim_frames(from, o->sent);
	sim_end();
}

static void compare(const struct outcome *a, const struct outcome *b)
{
	SIM_CHECK(a->noted_len == b->noted_len && memcmp(a->noted, b->noted, a->noted_len) == 0);
	SIM_CHECK(a->sent_len == b->sent_len && memcmp(a->sent, b->sent, a->sent_len) == 0);
}

static struct outcome whole, cut;

static void stop(void)
{
	sim_stop();
	free(whole.noted);
	free(cut.noted);
}

/* What only the memory of a VM points to looks lost between two inputs; at the exit nothing is. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	if (!sim.worker) {
		sim_start(script, 0);
		atexit(stop);
	}
	if (!read_input(&in, data, size))
		return 0;
	run(&in, 0, false, &whole);
	run(&in, in.cuts | 1, false, &cut);
	compare(&whole, &cut);
	run(&in, in.cuts | 2, false, &cut);
	compare(&whole, &cut);
	if (in.role == OF_SERVER || in.role == OF_RAW) {
		run(&in, 0, true, &cut);
		compare(&whole, &cut);
	}
	return 0;
}
