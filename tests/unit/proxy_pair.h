/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* For the tests of sessions: one session between two simulated peers, on a clock
 * that the test moves. Names are looked up by a resolver that the test answers. */

#include "base/log.h"
#include "base/mem.h"
#include "fake_resolver.h"
#include "http/handshake.h"
#include "net/sim.h"
#include "net/worker.h"
#include "proxy/proxy.h"
#include "proxy/session.h"
#include "upstream/dial.h"
#include "upstream/group.h"
#include "ws/mask.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAIR_CONNECTS = 20 };

static struct pair {
	struct worker *worker;
	struct proxy *proxy;
	struct route_table *table;
	struct route *route;
	struct stream *client;
	struct stream *up;                   /* the latest that was connected */
	struct stream *tried[PAIR_CONNECTS]; /* all of them */
	int connect_errno[PAIR_CONNECTS];    /* of the n-th attempt; 0 = a stream */
	struct address asked[PAIR_CONNECTS]; /* to which address */
	unsigned connects;
	bool connecting;  /* new upstream streams have to connect first */
	size_t up_window; /* of new upstream streams */
	struct session *session;
	int log_fd;
} t;

static struct proxy_listener pair_listener = {.name = (char[]){"public"},
        .refs = 1,
        .handshake_timeout_ms = 10000,
        .keepalive_timeout_ms = 60000};

/* ---- set up and torn down ---- */

static inline struct stream *pair_connect(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	(void)o;
	unsigned n = t.connects++;
	ck_assert_uint_lt(n, PAIR_CONNECTS);
	t.asked[n] = *to;
	if (t.connect_errno[n]) {
		errno = t.connect_errno[n];
		return NULL;
	}
	t.up = t.tried[n] = sim_new(w);
	sim_set_window(t.up, t.up_window);
	if (t.connecting)
		t.up->flags |= STREAM_CONNECTING;
	return t.up;
}

/* The group's only server: a name to look up, or an address. */
static inline void pair_server(struct upstream_group *g, const char *host, const char *address)
{
	struct upstream_server s = {.name = mem_strdup(host ? host : address), .weight = 1};
	ck_assert(address_parse(&s.address, address));
	s.port = address_port(&s.address);
	if (host) {
		s.host = mem_strdup(host);
		s.address.len = 0;
	}
	upstream_group_set_members(g, upstream_members_new(g, &s, 1));
}

static inline void pair_setup(void)
{
	char path[64];
	t = (struct pair){.up_window = SIZE_MAX};
	fake = (struct fake_resolver){NULL, NULL, 0};
	t.log_fd = memfd_create("log", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", t.log_fd);
	ck_assert(log_open(path, LOG_LEVEL_INFO));
	t.worker = worker_new(0);
	worker_set_time(t.worker, t.worker->now_ms / 1000 * 1000 + 1000);
	t.proxy = proxy_new(t.worker);
	((struct upstream_worker *)t.worker->layer[WORKER_UPSTREAM])->connect = pair_connect;
	struct upstream_group *g = upstream_group_new("apps");
	g->connect_timeout_ms = 5000;
	pair_server(g, NULL, "127.0.0.1:9000");
	t.route = route_new("chat");
	t.route->path = mem_strdup("");
	t.route->prefix = true;
	t.route->action = ROUTE_UPSTREAM;
	t.route->group = g;
	t.route->headers.request = rules_new(RULES_REQUEST, FORWARD_OFF, false);
	t.route->settings = (struct route_settings){
	        .limits.max_message = 16 << 20,
	        .send_timeout_ms = 30000,
	        .message_timeout_ms = 60000,
	        .close_timeout_ms = 5000,
	        .ping_interval_ms = 30000,
	        .pong_timeout_ms = 10000,
	        .max_queue = 65536,
	        .remask = REMASK_OFF,
	};
	t.table = route_table_new(&t.route, 1);
	proxy_set_routes(t.proxy, t.table);
}

/* A turn at the same time. */
static inline void turn(void)
{
	worker_turn(t.worker, 0);
}

static inline void pass(uint64_t ms)
{
	worker_set_time(t.worker, t.worker->now_ms + ms);
	turn();
}

static inline size_t sessions(void)
{
	return proxy_session_count(t.proxy);
}

/* Lets go of the streams of a session that has ended. */
static inline void pair_forget(void)
{
	for (unsigned i = 0; i < PAIR_CONNECTS; i++) {
		if (t.tried[i])
			sim_free(t.tried[i]);
		t.tried[i] = NULL;
	}
	if (t.client)
		sim_free(t.client);
	t.client = t.up = NULL;
	t.connects = 0;
}

static inline void pair_teardown(void)
{
	fault_plan(NULL);
	proxy_abort(t.proxy);
	turn();
	ck_assert_uint_eq(sessions(), 0);
	ck_assert_uint_eq(t.proxy->session_pool.used, 0);
	ck_assert_uint_eq(t.proxy->opening_pool.used, 0);
	ck_assert_uint_eq(t.worker->chunks.used, 0);
	pair_forget();
	proxy_free(t.proxy);
	route_table_unref(t.table);
	ck_assert_uint_eq(atomic_load(&t.route->refs), 1);
	route_unref(t.route);
	worker_free(t.worker);
	log_open("stderr", LOG_LEVEL_INFO);
	close(t.log_fd);
}

static inline bool pair_adopt(void)
{
	struct address peer;
	address_parse(&peer, "192.0.2.1:1234");
	t.client = sim_new(t.worker);
	bool adopted = proxy_adopt(t.proxy, t.client, &peer, &pair_listener);
	t.session = adopted ? list_entry(t.proxy->sessions.prev, struct session, node) : NULL;
	return adopted;
}

/* ---- what peers send ---- */

static inline bool push(struct stream *s, struct slice v)
{
	uint8_t *exact = malloc(v.len ? v.len : 1);
	if (v.len)
		memcpy(exact, v.at, v.len);
	bool pushed = sim_push(s, exact, v.len);
	free(exact);
	return pushed;
}

static inline bool push_text(struct stream *s, const char *text)
{
	return push(s, slice_str(text));
}

#define REQUEST                                         \
	"GET /x HTTP/1.1\r\nHost: a\r\n"                \
	"Upgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

/* Bytes built up by a test. */
struct text {
	uint8_t at[1 << 18];
	size_t len;
};

static inline void text_add(struct text *b, const void *at, size_t len)
{
	ck_assert_uint_le(b->len + len, sizeof b->at);
	memcpy(b->at + b->len, at, len);
	b->len += len;
}

static inline struct slice text_slice(const struct text *b)
{
	return slice_of(b->at, b->len);
}

enum { FIN = 0x80, FROM_CLIENT = 1, FROM_UPSTREAM = 0 };

/* A frame of `from`: first byte FIN | opcode, its payload given. */
static inline void text_frame(
        struct text *b, int from, unsigned first, const void *payload, size_t len)
{
	uint8_t header[WS_HEADER_MAX];
	struct ws_frame f = {.len = len,
	        .opcode = first & 15,
	        .fin = first & FIN,
	        .masked = from == FROM_CLIENT,
	        .key = {0x11, 0x22, 0xf3, 0x44}};
	text_add(b, header, ws_frame_write(header, &f));
	size_t start = b->len;
	text_add(b, payload, len);
	if (f.masked)
		ws_mask(b->at + start, len, f.key, 0);
}

static inline void text_close(struct text *b, int from, unsigned code, const char *reason)
{
	uint8_t body[125] = {(uint8_t)(code >> 8), (uint8_t)code};
	size_t n = strlen(reason);
	memcpy(body + 2, reason, n);
	text_frame(b, from, FIN | WS_CLOSE, body, code ? n + 2 : 0);
}

static inline struct stream *far_end(int from)
{
	return from == FROM_CLIENT ? t.client : t.up;
}

static inline bool say(int from, unsigned first, const char *payload)
{
	static struct text b;
	b.len = 0;
	text_frame(&b, from, first, payload, strlen(payload));
	return push(far_end(from), text_slice(&b));
}

static inline bool say_close(int from, unsigned code, const char *reason)
{
	static struct text b;
	b.len = 0;
	text_close(&b, from, code, reason);
	return push(far_end(from), text_slice(&b));
}

/* ---- what peers got ---- */

/* The stream got exactly these bytes since the last look. */
static inline void got(struct stream *s, struct slice want)
{
	struct slice have = sim_sent(s);
	ck_assert_uint_eq(have.len, want.len);
	if (want.len)
		ck_assert_mem_eq(have.at, want.at, want.len);
	sim_take(s, have.len);
}

static inline void got_nothing(struct stream *s)
{
	ck_assert_uint_eq(sim_sent(s).len, 0);
}

/* The peer that is not `from` got the frame as `from` sends it. */
static inline void got_frame(int from, unsigned first, const char *payload)
{
	static struct text b;
	b.len = 0;
	text_frame(&b, from, first, payload, strlen(payload));
	got(far_end(from ^ 1), text_slice(&b));
}

/* The first frame that the stream got; payload unmasked into out, a string. Taken. */
static inline struct ws_frame take_frame(struct stream *s, uint8_t *out, size_t room)
{
	struct ws_frame f;
	struct slice have = sim_sent(s);
	ck_assert_uint_gt(have.len, 0);
	ssize_t n = ws_frame_parse(&f, have.at, have.len);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_le((size_t)n + f.len, have.len);
	ck_assert_uint_lt(f.len, room);
	memcpy(out, have.at + n, f.len);
	if (f.masked)
		ws_mask(out, f.len, f.key, 0);
	out[f.len] = 0;
	sim_take(s, (size_t)n + f.len);
	return f;
}

/* The stream got a close frame of Moongate's own next, and nothing after it. */
static inline void got_close(struct stream *s, unsigned code, const char *reason)
{
	uint8_t body[126];
	struct ws_frame f = take_frame(s, body, sizeof body);
	ck_assert_uint_eq(f.opcode, WS_CLOSE);
	ck_assert(f.masked == (s != t.client));
	if (code == 0) {
		ck_assert_uint_eq(f.len, 0);
	} else {
		ck_assert_uint_ge(f.len, 2);
		ck_assert_uint_eq((unsigned)body[0] << 8 | body[1], code);
		ck_assert_str_eq((char *)body + 2, reason);
	}
	got_nothing(s);
}

/* An own ping came next; the pong for it goes to `payload`, 16 bytes. */
static inline void got_ping(uint8_t payload[17])
{
	struct ws_frame f = take_frame(t.client, payload, 17);
	ck_assert_uint_eq(f.opcode, WS_PING);
	ck_assert_uint_eq(f.len, 16);
	ck_assert_mem_eq(payload, "moongate", 8);
}

/* The client got an answer with this status; all of what came is taken. */
static inline void got_status(unsigned status)
{
	static struct http_head head;
	struct http_scan scan = {0};
	struct slice have = sim_sent(t.client);
	ssize_t n = http_parse_response(&head, &scan, have.at, have.len);
	ck_assert_int_gt(n, 0);
	ck_assert_uint_eq(head.status, status);
	sim_take(t.client, have.len);
}

static inline bool has_reset(const struct stream *s)
{
	bool reset;
	return sim_is_released(s, &reset) && reset;
}

static inline bool has_ended(const struct stream *s)
{
	bool reset;
	return sim_is_released(s, &reset) && !reset;
}

/* ---- the handshakes ---- */

/* Reads the request from what the upstream got; writes the answer. False: none is whole. */
static inline bool make_101(char out[512], const char *more)
{
	static struct http_head head;
	struct http_scan scan = {0};
	char accept[WS_ACCEPT_LEN];
	struct slice have = sim_sent(t.up);
	ssize_t n = http_parse_request(&head, &scan, have.at, have.len);
	ck_assert_int_ge(n, 0);
	if (n == 0)
		return false;
	ws_accept_value(accept, http_find(&head, HTTP_SEC_WEBSOCKET_KEY)->value);
	snprintf(out, 512,
	        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	        "Connection: Upgrade\r\nSec-WebSocket-Accept: %.28s\r\n%s\r\n",
	        accept, more);
	sim_take(t.up, (size_t)n);
	return true;
}

static inline void pair_request(void)
{
	ck_assert(pair_adopt());
	ck_assert(push_text(t.client, REQUEST));
}

static inline void pair_answer(void)
{
	char answer[512];
	ck_assert(make_101(answer, ""));
	ck_assert(push_text(t.up, answer));
}

/* Both handshakes; what they sent is taken. */
static inline void pair_open(void)
{
	pair_request();
	pair_answer();
	got_status(101);
	got_nothing(t.up);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}

static inline void pair_open_echo(void)
{
	t.route->action = ROUTE_ECHO;
	pair_request();
	got_status(101);
	ck_assert_int_eq(t.session->state, SESSION_OPEN);
}

/* ---- the log ---- */

static inline char *pair_log(void)
{
	static char text[1 << 18];
	ssize_t n = pread(t.log_fd, text, sizeof text - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = 0;
	return text;
}

static inline void pair_log_clear(void)
{
	ck_assert_int_eq(ftruncate(t.log_fd, 0), 0);
}

static inline unsigned log_count(const char *what)
{
	unsigned n = 0;
	for (const char *at = pair_log(); (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

/* Exactly one line came, which holds all of these. */
#define log_is(...) log_is_all((const char *const[]){__VA_ARGS__, NULL})
static inline void log_is_all(const char *const *what)
{
	ck_assert_msg(log_count("\n") == 1, "not one line:\n%s", pair_log());
	for (; *what; what++)
		ck_assert_msg(strstr(pair_log(), *what), "no %s in %s", *what, pair_log());
	pair_log_clear();
}

#define count_is(name, n) ck_assert_uint_eq(counter_get(&t.proxy->counters.name), n)

/* The session has ended; both far ends saw it without a reset. */
static inline void pair_is_over(void)
{
	turn();
	ck_assert_uint_eq(sessions(), 0);
	ck_assert(sim_is_released(t.client, NULL));
	if (t.up)
		ck_assert(sim_is_released(t.up, NULL));
}

static inline int pair_main(const char *name, void (*add)(TCase *t))
{
	Suite *s = suite_create(name);
	TCase *c = tcase_create("all");
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, pair_setup, pair_teardown);
	add(c);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
