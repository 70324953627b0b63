/* SPDX-License-Identifier: BSD-2-Clause */
#include "endpoint/endpoint.h"

#include "base/fault.h"
#include "net/sim.h"
#include "net/worker.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

/* An owner that writes down what it is told, and does what a test asks for inside the
 * callbacks. */
enum { NOTES = 4096 };
static struct {
	struct worker *worker;
	struct stream *far;
	struct endpoint ep;
	char notes[NOTES]; /* a letter per callback */
	size_t notes_n;
	uint8_t bytes[1 << 17]; /* of bodies and frames */
	size_t bytes_n;
	bool wanted;     /* bodies */
	char upgrade_at; /* inside the callback of this letter */
	char close_at;   /* likewise */
	char discard_at; /* likewise */
	size_t unit;     /* frames are used by so many bytes at once */
	enum http_error error;
	int end_error;
	bool closed;
} t;

static void note(char c)
{
	ck_assert(!t.closed);
	ck_assert_uint_lt(t.notes_n, NOTES - 1);
	t.notes[t.notes_n++] = c;
	t.notes[t.notes_n] = 0;
	if (c == t.discard_at)
		endpoint_discard(&t.ep);
	if (c == t.close_at) {
		endpoint_close(&t.ep, false);
		t.closed = true;
	}
}

static void keep(const uint8_t *at, size_t len)
{
	ck_assert_uint_le(t.bytes_n + len, sizeof t.bytes);
	if (len)
		memcpy(t.bytes + t.bytes_n, at, len);
	t.bytes_n += len;
}

static size_t on_preface(struct endpoint *ep, const uint8_t *buf, size_t len)
{
	(void)ep;
	ck_assert_uint_gt(len, 0);
	if (len < 5)
		return 0;
	ck_assert_mem_eq(buf, "GET \n", 5);
	note('p');
	return 5;
}

static void on_head(struct endpoint *ep, struct http_head *head)
{
	if (head->framing != HTTP_BODY_NONE)
		endpoint_read_body(ep, head, t.wanted);
	if (t.upgrade_at == 'h')
		endpoint_upgrade(ep, WS_FROM_CLIENT);
	note('h');
}

static void on_broken(struct endpoint *ep, enum http_error error)
{
	ck_assert_int_eq(ep->phase, ENDPOINT_DISCARD);
	t.error = error;
	note('!');
}

static void on_body(struct endpoint *ep, struct slice content, bool end)
{
	(void)ep;
	keep(content.at, content.len);
	note(end ? 'e' : 'b');
}

static size_t on_frames(struct endpoint *ep, uint8_t *buf, size_t len)
{
	(void)ep;
	size_t use = len / t.unit * t.unit;
	ck_assert_uint_gt(len, 0);
	keep(buf, use);
	if (use > 0)
		memset(buf, '#', use); /* they may be changed in place */
	note('f');
	return use;
}

static void on_first_byte(struct endpoint *ep)
{
	(void)ep;
	note('1');
}

static void on_end(struct endpoint *ep, enum stream_end end, int error)
{
	(void)ep;
	t.end_error = error;
	note(end == STREAM_EOF ? '.' : 'x');
}

static void on_drain(struct endpoint *ep)
{
	(void)ep;
	note('d');
}

static void on_no_memory(struct endpoint *ep)
{
	ck_assert_int_eq(ep->phase, ENDPOINT_DISCARD);
	note('m');
}

static const struct endpoint_events events = {
        .on_preface = on_preface,
        .on_head = on_head,
        .on_broken = on_broken,
        .on_body = on_body,
        .on_frames = on_frames,
        .on_first_byte = on_first_byte,
        .on_end = on_end,
        .on_drain = on_drain,
        .on_no_memory = on_no_memory,
};

static void begin(enum endpoint_role role)
{
	t.far = sim_new(t.worker);
	endpoint_init(&t.ep, role);
	endpoint_attach(&t.ep, t.far);
	t.notes_n = t.bytes_n = 0;
	t.notes[0] = 0;
	t.closed = false;
}

static void finish(void)
{
	endpoint_close(&t.ep, false);
	endpoint_close(&t.ep, true);
	ck_assert(!endpoint_has_rest(&t.ep));
	worker_turn(t.worker, 0);
	bool reset = true;
	ck_assert(sim_is_released(t.far, &reset));
	ck_assert(!reset);
	sim_free(t.far);
}

static void setup(void)
{
	memset(&t, 0, sizeof t);
	t.unit = 1;
	t.worker = worker_new(0);
	ck_assert(endpoint_worker_new(t.worker, &events));
}

static void teardown(void)
{
	fault_plan(NULL);
	ck_assert_uint_eq(t.worker->chunks.used, 0);
	endpoint_worker_free(t.worker);
	worker_free(t.worker);
}

static void push(const char *at, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	if (len)
		memcpy(exact, at, len);
	sim_push(t.far, exact, len);
	free(exact);
}

/* The notes without the marks of first bytes. */
static void noted(const char *want)
{
	ck_assert_str_eq(t.notes, want);
}

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
#define CHUNK                                                                                    \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: " \
	"t\r\n\r\n"

START_TEST(requests_cut_anywhere)
{
	static const char all[] = GET POST GET;
	for (size_t a = 0; a < sizeof all; a++)
		for (size_t b = a; b < sizeof all; b += 7) {
			begin(ENDPOINT_CLIENT);
			push(all, a);
			push(all + a, b - a);
			push(all + b, sizeof all - 1 - b);
			noted("1h1h1h");
			ck_assert(!endpoint_has_rest(&t.ep));
			finish();
		}
}
END_TEST

START_TEST(preface_cut_anywhere)
{
	static const char all[] = "GET \n" GET POST;
	for (size_t a = 0; a < sizeof all; a++)
		for (size_t b = a; b < sizeof all; b += 3) {
			begin(ENDPOINT_CLIENT);
			endpoint_expect_preface(&t.ep);
			push(all, a);
			ck_assert(endpoint_has_rest(&t.ep) == (t.notes_n % 2 == 0 && a > 0));
			push(all + a, b - a);
			push(all + b, sizeof all - 1 - b);
			noted("p1h1h");
			finish();
		}
}
END_TEST

/* The owner closes it, or has enough of it, inside the callback. */
START_TEST(preface_is_the_end)
{
	static const char all[] = "GET \n" GET;
	t.close_at = _i == 0 ? 'p' : 0;
	t.discard_at = _i == 0 ? 0 : 'p';
	for (size_t cut = 0; cut < sizeof all; cut++) {
		begin(ENDPOINT_CLIENT);
		endpoint_expect_preface(&t.ep);
		push(all, cut);
		if (!t.closed)
			push(all + cut, sizeof all - 1 - cut);
		noted("p");
		finish();
	}
}
END_TEST

START_TEST(bodies_cut_anywhere)
{
	static const char all[] = CHUNK CHUNK;
	t.wanted = true;
	for (size_t a = 0; a < sizeof all; a++)
		for (size_t b = a; b < sizeof all; b += 5) {
			begin(ENDPOINT_UPSTREAM);
			push(all, a);
			push(all + a, b - a);
			push(all + b, sizeof all - 1 - b);
			ck_assert_uint_eq(t.bytes_n, 10);
			ck_assert_mem_eq(t.bytes, "abcdeabcde", 10);
			unsigned ends = 0, heads = 0;
			for (const char *n = t.notes; *n; n++)
				ends += *n == 'e', heads += *n == 'h';
			ck_assert_uint_eq(ends, 2);
			ck_assert_uint_eq(heads, 2);
			finish();
		}
}
END_TEST

START_TEST(body_until_the_end)
{
	t.wanted = true;
	begin(ENDPOINT_UPSTREAM);
	push("HTTP/1.1 200 OK\r\n\r\nabc", 22);
	push("de", 2);
	noted("1hbb");
	sim_push_eof(t.far);
	noted("1hbbe");
	ck_assert_mem_eq(t.bytes, "abcde", 5);
	finish();
}
END_TEST

START_TEST(body_that_is_cut_off)
{
	t.wanted = true;
	begin(ENDPOINT_UPSTREAM);
	push(CHUNK, sizeof CHUNK - 6);
	if (_i == 0)
		sim_push_eof(t.far);
	else
		sim_push_error(t.far, ECONNRESET);
	ck_assert_int_eq(t.notes[t.notes_n - 1], _i ? 'x' : '.');
	ck_assert_ptr_null(strchr(t.notes, 'e'));
	finish();
}
END_TEST

START_TEST(skipped_body_is_not_told)
{
	begin(ENDPOINT_UPSTREAM);
	push("HTTP/1.1 200 OK\r\n\r\nabc", 22);
	sim_push_eof(t.far);
	noted("1h.");
	finish();
}
END_TEST

static const struct {
	const char *bytes;
	enum http_error error;
} broken[] = {
        {"\x16\x03\x01\x02\x00", HTTP_ERR_NOT_HTTP},
        {"GET / HTTP/1.1\r\n\r\n", HTTP_ERR_HOST},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", HTTP_ERR_LENGTH},
};

START_TEST(nothing_follows_what_is_broken)
{
	begin(ENDPOINT_CLIENT);
	for (size_t i = 0; broken[_i].bytes[i]; i++)
		push(broken[_i].bytes + i, 1);
	ck_assert_int_eq(t.notes[t.notes_n - 1], '!');
	ck_assert_int_eq(t.error, broken[_i].error);
	ck_assert(!endpoint_has_rest(&t.ep));
	size_t n = t.notes_n;
	push(GET, sizeof GET - 1);
	ck_assert_uint_eq(t.notes_n, n);
	sim_push_eof(t.far);
	ck_assert_int_eq(t.notes[n], '.');
	finish();
}
END_TEST

/* What the owner leaves comes again, in front of what comes next, wherever the cuts are. */
START_TEST(frames_cut_anywhere)
{
	static char all[sizeof GET - 1 + 400];
	memcpy(all, GET, sizeof GET - 1);
	for (size_t i = sizeof GET - 1; i < sizeof all; i++)
		all[i] = (char)(i * 7);
	t.upgrade_at = 'h';
	t.unit = (size_t[]){1, 7, 131}[_i];
	for (size_t a = 0; a <= sizeof all; a++)
		for (size_t b = a; b <= sizeof all; b += 31) {
			begin(ENDPOINT_CLIENT);
			push(all, a);
			push(all + a, b - a);
			push(all + b, sizeof all - b);
			size_t use = 400 / t.unit * t.unit;
			ck_assert_uint_eq(t.bytes_n, use);
			ck_assert_mem_eq(t.bytes, all + sizeof GET - 1, use);
			ck_assert(endpoint_has_rest(&t.ep) == (use < 400));
			finish();
		}
}
END_TEST

START_TEST(frames_of_a_full_receive)
{
	static char many[WORKER_RX_SIZE];
	memset(many, 'm', sizeof many);
	t.upgrade_at = 'h';
	t.unit = 131;
	begin(ENDPOINT_CLIENT);
	push(GET, sizeof GET - 1);
	push(many, 130);
	push(many, sizeof many);
	ck_assert_uint_eq(t.bytes_n, (sizeof many + 130) / 131 * 131);
	finish();
}
END_TEST

/* The owner may close or discard inside any callback; then nothing more is told. */
static void end_inside(char letter, bool close)
{
	static const char client[] =
	        GET "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	            "1\r\na\r\n0\r\n\r\n" GET;
	t.wanted = true;
	t.close_at = close ? letter : 0;
	t.discard_at = close ? 0 : letter;
	for (size_t cut = 0; cut < sizeof client; cut++) {
		begin(ENDPOINT_CLIENT);
		push(client, cut);
		push(client + cut, sizeof client - 1 - cut);
		ck_assert(strchr(t.notes, letter) == t.notes + t.notes_n - 1);
		ck_assert(!endpoint_has_rest(&t.ep));
		t.close_at = 0;
		finish();
		t.close_at = close ? letter : 0;
	}
}

START_TEST(ends_inside_a_callback)
{
	end_inside("1hbe"[_i / 2], _i & 1);
}
END_TEST

START_TEST(ends_inside_frames)
{
	static const char all[] = GET "frames";
	t.upgrade_at = 'h';
	t.unit = 2;
	for (size_t cut = 0; cut < sizeof all; cut++) {
		t.close_at = _i ? 'f' : 0;
		t.discard_at = _i ? 0 : 'f';
		begin(ENDPOINT_CLIENT);
		push(all, cut);
		push(all + cut, sizeof all - 1 - cut);
		noted("1hf");
		ck_assert(!endpoint_has_rest(&t.ep));
		finish();
	}
}
END_TEST

START_TEST(memory_fails)
{
	t.upgrade_at = 'h';
	t.unit = 7;
	begin(ENDPOINT_CLIENT);
	if (_i == 0) { /* the first part of a head */
		fault_plan("alloc:1:ENOMEM");
		push("GET", 3);
		noted("1m");
	} else if (_i == 1) { /* its growth */
		static char line[2000];
		memset(line, 'x', sizeof line);
		push("GET /", 5);
		fault_plan("alloc:1:ENOMEM");
		push(line, sizeof line);
		noted("1m");
	} else { /* the rest of frames */
		push(GET, sizeof GET - 1);
		fault_plan("alloc:1:ENOMEM");
		push("123", 3);
		noted("1hfm");
	}
	size_t n = t.notes_n;
	push(GET, sizeof GET - 1);
	ck_assert_uint_eq(t.notes_n, n);
	ck_assert(!endpoint_has_rest(&t.ep));
	finish();
}
END_TEST

START_TEST(ends_and_drains)
{
	struct slice text = SLICE("text");
	begin(ENDPOINT_CLIENT);
	sim_set_window(t.far, 0);
	stream_send(t.ep.stream, &text, 1);
	sim_set_window(t.far, 10);
	worker_turn(t.worker, 0);
	noted("d");
	sim_push_eof(t.far);
	sim_push_error(t.far, EPIPE);
	noted("d.x");
	ck_assert_int_eq(t.end_error, EPIPE);
	finish();
}
END_TEST

START_TEST(queue_is_sent_and_stays)
{
	static char many[20000];
	struct slice v = slice_of(many, sizeof many);
	struct queue q = {0};
	memset(many, 'q', sizeof many);
	begin(ENDPOINT_CLIENT);
	ck_assert(endpoint_send_queue(&t.ep, &q));
	ck_assert(queue_append(&q, &t.worker->chunks, &v, 1));
	queue_drop(&q, &t.worker->chunks, 10);
	ck_assert(endpoint_send_queue(&t.ep, &q));
	ck_assert_uint_eq(sim_sent(t.far).len, sizeof many - 10);
	ck_assert_uint_eq(q.bytes, sizeof many - 10);
	sim_fail_sends(t.far, EPIPE);
	ck_assert(!endpoint_send_queue(&t.ep, &q));
	worker_turn(t.worker, 0);
	noted("x");
	queue_clear(&q, &t.worker->chunks);
	finish();
}
END_TEST

START_TEST(no_memory_for_the_worker)
{
	struct worker *w = worker_new(1);
	fault_plan("alloc:1:ENOMEM");
	ck_assert(!endpoint_worker_new(w, &events));
	fault_plan(NULL);
	endpoint_worker_free(w);
	worker_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("endpoint");
	TCase *c = tcase_create("all");
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, requests_cut_anywhere);
	tcase_add_test(c, preface_cut_anywhere);
	tcase_add_loop_test(c, preface_is_the_end, 0, 2);
	tcase_add_test(c, bodies_cut_anywhere);
	tcase_add_test(c, body_until_the_end);
	tcase_add_loop_test(c, body_that_is_cut_off, 0, 2);
	tcase_add_test(c, skipped_body_is_not_told);
	tcase_add_loop_test(c, nothing_follows_what_is_broken, 0, 3);
	tcase_add_loop_test(c, frames_cut_anywhere, 0, 3);
	tcase_add_test(c, frames_of_a_full_receive);
	tcase_add_loop_test(c, ends_inside_a_callback, 0, 8);
	tcase_add_loop_test(c, ends_inside_frames, 0, 2);
	tcase_add_loop_test(c, memory_fails, 0, 3);
	tcase_add_test(c, ends_and_drains);
	tcase_add_test(c, queue_is_sent_and_stays);
	tcase_add_test(c, no_memory_for_the_worker);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
