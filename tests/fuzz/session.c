/* SPDX-License-Identifier: BSD-2-Clause */

/* One whole session on simulated streams. The input's first byte chooses the
 * route's limits; what follows is a script of what both peers do and how time
 * passes:
 *
 *   0..95    the client sends the next 1..96 bytes of the input
 *   96..191  the upstream does
 *   192..    one of the moves in move()
 *
 * Both handshakes are done for the input when it asks for them, or it may bring its own.
 *
 * Properties: nothing crashes and nothing is left; a session whose peers have ended ends
 * too; a queue never holds more than its mark and what one receive may add; what reached
 * a side is what the other sent, byte for byte from the handshake on, but for own pings,
 * own pongs taken out and a last close frame of Moongate's own.
 *
 * With the first byte's top bit set the rest is no script but what one peer sends after
 * the handshakes: the second byte chooses the peer and the cuts. However the bytes are
 * cut, the verdict is the same, what the sender gets, and the complete frames at the
 * other side. */

#include "proxy/session.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/handshake.h"
#include "net/sim.h"
#include "net/worker.h"
#include "proxy/proxy.h"
#include "upstream/dial.h"
#include "upstream/group.h"
#include "ws/mask.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MARK = 4096, SENT_MAX = 1 << 20 };

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* What a peer sent after its handshake, and its simulated stream. */
struct far {
	struct stream *stream;
	uint8_t *sent;
	size_t len;
	bool shaken; /* its handshake is done: what it sends are frames */
};

static struct {
	struct worker *worker;
	struct proxy *proxy;
	struct route_table *table;
	struct route *route;
	struct far client, upstream;
	bool may_connect;
} t;

static struct proxy_listener listener = {.name = (char[]){"fuzz"},
        .refs = 1,
        .handshake_timeout_ms = 10000,
        .keepalive_timeout_ms = 60000};

static struct stream *connect_sim(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	(void)to, (void)o;
	if (!t.may_connect || t.upstream.stream)
		return NULL;
	return t.upstream.stream = sim_new(w);
}

static void make_route(void)
{
	struct upstream_group *g = upstream_group_new("fuzz");
	g->connect_timeout_ms = 5000;
	struct upstream_server server = {.name = mem_strdup("127.0.0.1:1"), .weight = 1};
	address_parse(&server.address, server.name);
	upstream_group_set_members(g, upstream_members_new(g, &server, 1));
	t.route = route_new("fuzz");
	t.route->path = mem_strdup("");
	t.route->prefix = true;
	t.route->action = ROUTE_UPSTREAM;
	t.route->group = g;
	t.route->headers.request = rules_new(RULES_REQUEST, FORWARD_REPLACE, false);
	t.table = route_table_new(&t.route, 1);
}

static void start(void)
{
	log_open("stderr", LOG_LEVEL_ERROR);
	t.worker = worker_new(0);
	worker_set_time(t.worker, t.worker->now_ms);
	t.proxy = proxy_new(t.worker);
	struct upstream_worker *u = t.worker->layer[WORKER_UPSTREAM];
	u->connect = connect_sim;
	make_route();
	proxy_set_routes(t.proxy, t.table);
}

static void set_limits(uint8_t choice)
{
	struct route_settings *s = &t.route->settings;
	*s = (struct route_settings){
	        .limits.max_message = choice & 1 ? 200 : 0,
	        .limits.max_fragments = choice & 2 ? 4 : 0,
	        .send_timeout_ms = 30000,
	        .message_timeout_ms = choice & 4 ? 60000 : 0,
	        .close_timeout_ms = 5000,
	        .ping_interval_ms = choice & 8 ? 30000 : 0,
	        .pong_timeout_ms = 10000,
	        .idle_timeout_ms = choice & 16 ? 40000 : 0,
	        .max_queue = MARK,
	        .remask = REMASK_OFF,
	};
	t.route->action = choice & 32 ? ROUTE_ECHO : ROUTE_UPSTREAM;
	t.may_connect = !(choice & 64);
}

/* ---- the peers ---- */

static void push(struct far *far, const void *bytes, size_t len)
{
	if (!far->stream || !sim_push(far->stream, bytes, len) || !far->shaken)
		return;
	CHECK(far->len + len <= SENT_MAX);
	memcpy(far->sent + far->len, bytes, len);
	far->len += len;
}

static void client_shakes(void)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	                              "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	                              "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
	push(&t.client, request, sizeof(request) - 1);
	t.client.shaken = true;
}

/* Answers with the right accept value, if a whole request has come. */
static void upstream_shakes(void)
{
	static struct http_head head;
	struct http_scan scan = {0};
	char answer[256], accept[WS_ACCEPT_LEN];
	if (!t.upstream.stream || t.upstream.shaken)
		return;
	struct slice got = sim_sent(t.upstream.stream);
	ssize_t n = http_parse_request(&head, &scan, got.at, got.len);
	CHECK(n >= 0);
	if (n == 0)
		return;
	ws_accept_value(accept, http_find(&head, HTTP_SEC_WEBSOCKET_KEY)->value);
	int len = snprintf(answer, sizeof(answer),
	        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	        "Connection: Upgrade\r\nSec-WebSocket-Accept: %.28s\r\n\r\n",
	        accept);
	push(&t.upstream, answer, (size_t)len);
	t.upstream.shaken = true;
}

static void pass_time(uint64_t ms)
{
	worker_set_time(t.worker, t.worker->now_ms + ms);
	worker_turn(t.worker, 0);
}

static void move(uint8_t what, uint8_t how)
{
	struct far *far = how & 1 ? &t.upstream : &t.client;
	switch (what % 10) {
	case 0:
		client_shakes();
		break;
	case 1:
		upstream_shakes();
		break;
	case 2:
		pass_time(how * 100U);
		break;
	case 3:
		worker_turn(t.worker, 0);
		break;
	case 4:
		if (far->stream)
			sim_push_eof(far->stream);
		break;
	case 5:
		if (far->stream && !sim_is_released(far->stream, NULL))
			sim_push_error(far->stream, 104);
		break;
	case 6:
		if (far->stream && !sim_is_released(far->stream, NULL))
			sim_set_window(far->stream, how & 2 ? SIZE_MAX : (size_t)how * 16);
		break;
	case 7:
		if (far->stream)
			sim_fail_sends(far->stream, 32);
		break;
	case 8:
		pass_time(how * 4000U);
		break;
	case 9:
		proxy_drain(t.proxy, how, NULL, NULL);
		break;
	}
}

/* ---- the properties ---- */

static void check_queue(const struct far *far)
{
	if (far->stream && !sim_is_released(far->stream, NULL))
		CHECK(far->stream->out.bytes <= MARK + 2 * WORKER_RX_SIZE);
}

/* Own pings to the client, pongs to them and own closes are the only differences. */
static bool is_own(const struct ws_run *run)
{
	return run->control_opcode == WS_PING && run->payload_len == 16 &&
	       memcmp(run->payload, "moongate", 8) == 0;
}

struct frames {
	const uint8_t *at;
	size_t len;
};

/* The front of `f` up to its next control frame or its end: sound bytes. */
static void next_run(struct ws_reader *r, struct frames *f, struct ws_run *run, uint8_t *scratch)
{
	static const struct ws_limits none;
	memcpy(scratch, f->at, f->len);
	ws_reader_run(r, &none, scratch, f->len, run);
}

/* Every byte of frames that reached `to` came from `from`, in its order. */
static void check_passed(struct frames got, struct frames sent, unsigned flags)
{
	static uint8_t scratch[SENT_MAX];
	struct ws_reader r;
	struct ws_run run;
	ws_reader_init(&r, flags);
	while (got.len > 0) {
		next_run(&r, &got, &run, scratch);
		CHECK(run.stop != WS_STOP_BROKEN);
		CHECK(run.pass <= sent.len);
		CHECK(run.pass == 0 || memcmp(got.at, sent.at, run.pass) == 0);
		got.at += run.pass, got.len -= run.pass;
		sent.at += run.pass, sent.len -= run.pass;
		if (run.stop == WS_STOP_MORE)
			break;
		bool same = run.control_len <= sent.len &&
		            memcmp(got.at, sent.at, run.control_len) == 0;
		got.at += run.control_len, got.len -= run.control_len;
		if (same)
			sent.at += run.control_len, sent.len -= run.control_len;
		else
			CHECK(is_own(&run) || run.control_opcode == WS_CLOSE);
		if (run.control_opcode == WS_CLOSE) {
			CHECK(got.len == 0);
			return;
		}
	}
	/* Only the beginning of a frame may be left: one that came too, or an own close
	 * or ping that the peer's window cut. */
	bool own = got.len > 0 && (got.at[0] == (0x80 | WS_CLOSE) || got.at[0] == (0x80 | WS_PING));
	bool came = got.len <= sent.len && (got.len == 0 || memcmp(got.at, sent.at, got.len) == 0);
	CHECK(own || came);
}

static struct frames after_head(const struct far *far, bool request)
{
	static struct http_head head;
	struct http_scan scan = {0};
	struct slice got = sim_sent(far->stream);
	ssize_t n = request ? http_parse_request(&head, &scan, got.at, got.len)
	                    : http_parse_response(&head, &scan, got.at, got.len);
	if (n <= 0 || (!request && head.status != 101))
		return (struct frames){got.at, 0};
	return (struct frames){got.at + n, got.len - (size_t)n};
}

/* Own pongs are taken out of what the client sent, so streams that hold any are left
 * to the tests of the tunnel; so are handshakes that the input made by itself. */
static bool is_comparable(const struct far *far)
{
	static const char name[] = "moongate";
	return far->shaken && (far->len < 8 || !memmem(far->sent, far->len, name, 8));
}

/* What an echo route sent are sound frames, and nothing behind a close. */
static void check_echo(struct frames got)
{
	static const struct ws_limits none;
	static uint8_t scratch[SENT_MAX];
	struct ws_reader r;
	struct ws_run run;
	if (got.len == 0)
		return;
	ws_reader_init(&r, 0);
	do {
		memcpy(scratch, got.at, got.len);
		ws_reader_run(&r, &none, scratch, got.len, &run);
		CHECK(run.stop != WS_STOP_BROKEN);
		if (run.stop != WS_STOP_CONTROL)
			return;
		got.at += run.pass + run.control_len;
		got.len -= run.pass + run.control_len;
	} while (run.control_opcode != WS_CLOSE);
	CHECK(got.len == 0);
}

static void check_end(void)
{
	if (t.route->action == ROUTE_ECHO)
		check_echo(after_head(&t.client, false));
	if (t.route->action != ROUTE_UPSTREAM || !t.client.stream || !t.upstream.stream)
		return;
	if (is_comparable(&t.client))
		check_passed(after_head(&t.upstream, true),
		        (struct frames){t.client.sent, t.client.len}, WS_FROM_CLIENT);
	if (!t.upstream.shaken)
		return;
	check_passed(
	        after_head(&t.client, false), (struct frames){t.upstream.sent, t.upstream.len}, 0);
}

static void forget(struct far *far)
{
	if (far->stream)
		sim_free(far->stream);
	free(far->sent);
	*far = (struct far){0};
}

/* ---- one session ---- */

static void begin_session(uint8_t choice)
{
	struct address peer;
	if (!t.worker)
		start();
	set_limits(choice);
	t.client = (struct far){.stream = sim_new(t.worker), .sent = malloc(SENT_MAX)};
	t.upstream = (struct far){.sent = malloc(SENT_MAX)};
	address_parse(&peer, "127.0.0.1:2");
	CHECK(proxy_adopt(t.proxy, t.client.stream, &peer, &listener));
}

static void end_session(void)
{
	proxy_abort(t.proxy);
	t.proxy->drain.on = false;
	timer_clear(&t.worker->wheel, &t.proxy->drain.timer);
	worker_turn(t.worker, 0);
	CHECK(proxy_session_count(t.proxy) == 0);
	CHECK(t.proxy->session_pool.used == 0 && t.proxy->opening_pool.used == 0);
	CHECK(t.worker->chunks.used == 0);
	forget(&t.client);
	forget(&t.upstream);
}

static void let_go(struct far *far)
{
	if (!far->stream || sim_is_released(far->stream, NULL))
		return;
	sim_set_window(far->stream, SIZE_MAX);
	worker_turn(t.worker, 0);
	sim_push_eof(far->stream);
}

/* Whatever happened: once both peers have taken all and ended, the session ends by
 * itself, within the time for closing. */
static void check_life(void)
{
	let_go(&t.client);
	let_go(&t.upstream);
	for (int i = 0; i < 4; i++)
		worker_turn(t.worker, 0);
	pass_time(5000);
	pass_time(5000);
	CHECK(proxy_session_count(t.proxy) == 0);
}

static void play(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size;) {
		uint8_t op = data[i++];
		size_t len = (op < 96 ? op : op - 96U) + 1;
		if (op < 192) {
			len = len < size - i ? len : size - i;
			push(op < 96 ? &t.client : &t.upstream, data + i, len);
			i += len;
		} else if (i < size) {
			move(op, data[i++]);
		}
		check_queue(&t.client);
		check_queue(&t.upstream);
	}
	worker_turn(t.worker, 0);
	check_end();
	check_life();
}

/* ---- the same bytes, cut in different ways ---- */

enum { CUT_MAX = 32 * 1024 };

/* Complete frames with their payloads unmasked, and what ended the session. */
struct outcome {
	uint8_t cause, error;
	size_t sender_len, other_len;
	uint8_t sender[2 * CUT_MAX], other[2 * CUT_MAX];
};

/* Writes the complete frames of `got` to out. Of an echo only data frames: a pong may
 * have to wait for the end of a frame, which depends on the cuts; when a frame was broken
 * the close that follows is left out, because a reset may stand for it. */
static size_t normalise(struct frames got, uint8_t *out, bool data_only, bool broken)
{
	struct ws_frame f;
	size_t n = 0;
	for (ssize_t head; got.len > 0;
	        got.at += head + (ssize_t)f.len, got.len -= (size_t)head + f.len) {
		head = ws_frame_parse(&f, got.at, got.len);
		CHECK(head >= 0);
		if (head == 0 || got.len - (size_t)head < f.len)
			break;
		if (f.opcode >= WS_CLOSE && (data_only || (broken && f.opcode == WS_CLOSE)))
			continue;
		out[n++] = got.at[0];
		memcpy(out + n, &f.len, 2);
		n += 2;
		memcpy(out + n, got.at + head, f.len);
		if (f.masked)
			ws_mask(out + n, f.len, f.key, 0);
		n += f.len;
	}
	return n;
}

static void run_cut(uint8_t choice, bool by_client, const uint8_t *at, size_t len, uint8_t cuts,
        struct outcome *o)
{
	bool echo = choice & 32;
	uint32_t dice = cuts;
	begin_session(choice);
	const struct session *s = list_entry(t.proxy->sessions.prev, struct session, node);
	client_shakes();
	if (!echo)
		upstream_shakes();
	struct far *from = by_client ? &t.client : &t.upstream;
	for (size_t done = 0; done < len;) {
		dice = dice * 1664525 + 1013904223;
		size_t n = cuts == 0 ? len : 1 + (dice >> 20) % (cuts & 1 ? 3 : 2 * cuts);
		n = n < len - done ? n : len - done;
		push(from, at + done, n);
		done += n;
	}
	o->cause = s->cause;
	o->error = s->error;
	bool broken = s->cause == CAUSE_PROTOCOL;
	struct frames client = after_head(&t.client, false);
	struct frames up = {NULL, 0};
	if (!echo)
		up = after_head(&t.upstream, true);
	o->sender_len = normalise(by_client ? client : up, o->sender, echo, echo && broken);
	o->other_len = normalise(by_client ? up : client, o->other, echo, broken);
	end_session();
}

static void compare_cuts(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;
	uint8_t choice = data[0] & (1 | 2 | 32);
	bool by_client = choice & 32 || data[1] & 1;
	size -= 2;
	size = size < CUT_MAX ? size : CUT_MAX;
	run_cut(choice, by_client, data + 2, size, 0, &whole);
	for (uint8_t i = 0; i < 2; i++) { /* into small pieces, into larger ones */
		run_cut(choice, by_client, data + 2, size, (uint8_t)((data[1] & 0xfc) | 2 | i),
		        &cut);
		CHECK(whole.cause == cut.cause && whole.error == cut.error);
		CHECK(whole.sender_len == cut.sender_len && whole.other_len == cut.other_len);
		CHECK(memcmp(whole.sender, cut.sender, cut.sender_len) == 0);
		CHECK(memcmp(whole.other, cut.other, cut.other_len) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	if (data[0] & 128) {
		compare_cuts(data, size);
		return 0;
	}
	begin_session(data[0]);
	play(data + 1, size - 1);
	end_session();
	return 0;
}
