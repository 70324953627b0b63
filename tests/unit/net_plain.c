/* SPDX-License-Identifier: BSD-2-Clause */

/* Streams over real sockets: every test runs over a unix socket pair (_i = 0) and
 * over TCP on the loopback (_i = 1). */

#include "base/clock.h"
#include "base/fault.h"
#include "net/plain.h"
#include "net/sys.h"
#include "net/worker_private.h"
#include "net_tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct worker *w;
static struct tap tap;
static int peer; /* blocking */
static unsigned descriptors_before;
static const struct socket_options no_options;

static unsigned descriptors(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A TCP socket that listens on the loopback, and its address. */
static int listening(struct address *a)
{
	address_parse(a, "127.0.0.1:0");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, &a->sa, a->len), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, &a->sa, &a->len), 0);
	return fd;
}

static void tcp_pair(int fd[2])
{
	struct address a;
	int l = listening(&a);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd[1], &a.sa, a.len), 0);
	fd[0] = accept(l, NULL, NULL);
	ck_assert_int_ge(fd[0], 0);
	close(l);
}

static int make_pair(int over_tcp)
{
	int fd[2];
	if (over_tcp)
		tcp_pair(fd);
	else
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	peer = fd[1];
	return fd[0];
}

static void open_pair(int over_tcp)
{
	tap_init(&tap, plain_accepted(w, make_pair(over_tcp)));
}

static void hang_up(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static void setup(void)
{
	descriptors_before = descriptors();
	memset(&tap, 0, sizeof(tap));
	peer = -1;
	w = worker_new(0);
}

static void teardown(void)
{
	fault_plan(NULL);
	tap_free(&tap);
	hang_up();
	worker_turn(w, 0);
	ck_assert_uint_eq(w->chunks.used, 0);
	ck_assert_uint_eq(w->priv->plain.used, 0);
	worker_free(w);
	ck_assert_uint_eq(descriptors(), descriptors_before);
}

/* Turns until the condition holds; each waits for an event. */
#define UNTIL(condition)                                                    \
	for (uint64_t until = clock_ms() + 20000; !(condition);) {          \
		ck_assert_msg(clock_ms() < until, "never: %s", #condition); \
		worker_turn(w, 100);                                        \
	}

static void turns(int n)
{
	while (n-- > 0)
		worker_turn(w, 0);
}

static void peer_sends(const char *text)
{
	ck_assert_int_eq(send(peer, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void peer_resets(void)
{
	struct linger now = {1, 0};
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	hang_up();
}

/* A reset that works for both families: the peer dies with bytes unread. */
static void peer_dies_with_unread_bytes(void)
{
	char c;
	ck_assert(tap_send_text(&tap, "never read"));
	ck_assert_int_eq(recv(peer, &c, 1, MSG_PEEK), 1);
	hang_up();
}

static void peer_gets(const char *text)
{
	char buf[256];
	size_t len = strlen(text);
	ck_assert_int_eq(recv(peer, buf, len, MSG_WAITALL), (ssize_t)len);
	ck_assert_mem_eq(buf, text, len);
}

static uint64_t count(counter *c)
{
	return counter_get(c);
}

START_TEST(one_receive_and_one_send_for_a_message)
{
	open_pair(_i);
	tap.answer = "pong";
	for (unsigned i = 1; i <= 5; i++) {
		peer_sends("ping");
		UNTIL(tap.datas == i);
		peer_gets("pong");
		ck_assert_uint_eq(count(&w->counters.reads), i);
		ck_assert_uint_eq(count(&w->counters.writes), i);
	}
	ck_assert_uint_eq(count(&w->counters.bytes_read), 20);
	ck_assert_uint_eq(count(&w->counters.bytes_written), 20);
	ck_assert_uint_eq(tap.drains, 0);
}
END_TEST

/* U-05: what the kernel has is seen before any event has told of it, and stays there. */
START_TEST(quiet_until_something_comes)
{
	open_pair(_i);
	ck_assert(stream_is_quiet(tap.stream));
	worker_turn(w, 0);
	ck_assert(stream_is_quiet(tap.stream));
	ck_assert_int_eq(write(peer, "x", 1), 1);
	ck_assert(!stream_is_quiet(tap.stream));
	ck_assert(!stream_is_quiet(tap.stream));
	UNTIL(tap.len == 1);
	ck_assert(stream_is_quiet(tap.stream));
	ck_assert(fault_plan("peek:1:EINTR,peek:3:ECONNRESET"));
	ck_assert(stream_is_quiet(tap.stream));
	ck_assert(!stream_is_quiet(tap.stream));
	shutdown(peer, SHUT_WR);
	ck_assert(!stream_is_quiet(tap.stream));
	UNTIL(tap.eofs);
	ck_assert(!stream_is_quiet(tap.stream));
}
END_TEST

START_TEST(end_after_bytes_in_one_edge)
{
	open_pair(_i);
	peer_sends("last");
	shutdown(peer, SHUT_WR);
	UNTIL(tap.eofs);
	tap_has(&tap, "last");
	/* The other direction lives. */
	ck_assert(tap_send_text(&tap, "answer"));
	peer_gets("answer");
	turns(3);
	ck_assert_uint_eq(tap.errors, 0);
}
END_TEST

START_TEST(end_after_its_own_edge)
{
	open_pair(_i);
	peer_sends("last");
	UNTIL(tap.datas == 1);
	turns(2);
	shutdown(peer, SHUT_WR);
	UNTIL(tap.eofs);
	ck_assert_uint_eq(count(&w->counters.reads), 2);
}
END_TEST

START_TEST(end_without_bytes)
{
	open_pair(_i);
	hang_up();
	UNTIL(tap.eofs);
	ck_assert_uint_eq(tap.datas, 0);
}
END_TEST

/* The kernel's buffer is exactly as full as one receive, and the end follows. */
START_TEST(full_receives)
{
	static uint8_t block[WORKER_RX_SIZE];
	int bytes = 4 * WORKER_RX_SIZE;
	int fd = make_pair(_i);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	tap_init(&tap, plain_accepted(w, fd));
	memset(block, 'b', sizeof(block));
	ck_assert_int_eq(send(peer, block, sizeof(block), 0), sizeof(block));
	UNTIL(tap.len == sizeof(block));
	turns(3);
	ck_assert_uint_eq(tap.eofs, 0);
	ck_assert_int_eq(send(peer, block, sizeof(block), 0), sizeof(block));
	hang_up();
	UNTIL(tap.eofs);
	ck_assert_uint_eq(tap.len, 2 * sizeof(block));
}
END_TEST

/* Reads are small while memory is short, and nothing is forgotten over that. */
START_TEST(receives_while_memory_is_short)
{
	static uint8_t block[3 * STREAM_SHORT_READ];
	open_pair(_i);
	uint64_t promised = budget_promised();
	budget_set(64 << 20);
	budget_promise(60 << 20);
	memset(block, 'b', sizeof(block));
	ck_assert_int_eq(send(peer, block, sizeof(block), 0), sizeof(block));
	UNTIL(tap.len == sizeof(block));
	ck_assert_uint_ge(tap.datas, 3);
	turns(3);
	ck_assert_int_eq(send(peer, block, STREAM_SHORT_READ, 0), STREAM_SHORT_READ);
	hang_up();
	UNTIL(tap.eofs);
	ck_assert_uint_eq(tap.len, sizeof(block) + STREAM_SHORT_READ);
	budget_set(0);
	budget_promise(-(60 << 20));
	ck_assert_uint_eq(budget_promised(), promised);
}
END_TEST

/* In a child: only the peer's socket stays open. */
static void keep_peer_only(void)
{
	for (int fd = 3; fd < 64; fd++)
		if (fd != peer)
			close(fd);
}

/* A child writes; each byte arrives once and in order. */
static void child_sends(size_t len)
{
	if (fork() > 0) {
		hang_up();
		return;
	}
	keep_peer_only();
	uint8_t block[5003];
	for (size_t at = 0; at < len;) {
		size_t n = len - at < sizeof(block) ? len - at : sizeof(block);
		for (size_t i = 0; i < n; i++)
			block[i] = (uint8_t)((at + i) * 31 >> 4);
		ssize_t sent = write(peer, block, n);
		if (sent <= 0)
			_exit(1);
		at += (size_t)sent;
	}
	_exit(0);
}

static void arrived_whole(size_t len)
{
	bool same = true;
	ck_assert_uint_eq(tap.len, len);
	for (size_t i = 0; i < len; i++)
		same &= tap.bytes[i] == (uint8_t)(i * 31 >> 4);
	ck_assert(same);
}

static const char *const receive_plans[] = {
        NULL,
        "recv:0:EAGAIN:300",
        "recv:0:SHORT:300",
        "recv:0:EINTR:300",
        "recv:0:SHORT:300,recv:0:EAGAIN:300",
};

START_TEST(a_stream_of_bytes_whatever_the_receives_do)
{
	size_t len = 3000000;
	open_pair(_i % 2);
	child_sends(len);
	ck_assert(fault_plan(receive_plans[_i / 2]));
	while (!tap.eofs) {
		/* Paused and resumed at odd moments. */
		worker_turn(w, stream_is_paused(tap.stream) ? 0 : 1000);
		if (tap.datas % 3 == 0)
			stream_pause(tap.stream);
		else
			stream_resume(tap.stream);
		if (stream_is_paused(tap.stream)) {
			worker_turn(w, 0);
			stream_resume(tap.stream);
		}
	}
	arrived_whole(len);
}
END_TEST

START_TEST(a_busy_stream_does_not_starve_another)
{
	static uint8_t block[8 * WORKER_RX_SIZE];
	int bytes = sizeof(block), fd[2];
	struct tap other;
	open_pair(_i);
	setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	tap_init(&other, plain_accepted(w, fd[0]));
	fcntl(peer, F_SETFL, O_NONBLOCK);
	unsigned n = 0;
	while (other.datas == 0) {
		while (send(peer, block, sizeof(block), MSG_NOSIGNAL) > 0)
			continue;
		if (n++ == 3)
			ck_assert_int_eq(send(fd[1], "x", 1, 0), 1);
		ck_assert_uint_le(n, 5);
		worker_turn(w, 0);
	}
	ck_assert_uint_gt(tap.len, 0);
	tap_free(&other);
	close(fd[1]);
}
END_TEST

static struct {
	const struct stream *self, *next;
} heard[2];
static unsigned heard_n, settled;

static void on_next(struct stream *s, uint8_t *buf, size_t len)
{
	(void)buf, (void)len;
	ck_assert_uint_lt(heard_n, 2);
	heard[heard_n].self = s;
	heard[heard_n++].next = w->next;
}

static void on_settled(struct worker *worker)
{
	ck_assert_ptr_null(worker->next);
	ck_assert_uint_eq(heard_n, 2);
	settled++;
}

/* Of two that are told in one turn the first knows the second; settled is behind both, once. */
START_TEST(who_is_served_next)
{
	static const struct stream_events events = {.on_data = on_next};
	int fd[2], far[2];
	struct stream *s[2];
	for (int i = 0; i < 2; i++) {
		fd[i] = make_pair(_i);
		far[i] = peer;
		s[i] = plain_accepted(w, fd[i]);
		s[i]->events = &events;
	}
	turns(1);
	for (int i = 0; i < 2; i++) {
		struct pollfd p = {.fd = fd[i], .events = POLLIN};
		ck_assert_int_eq(send(far[i], "a", 1, MSG_NOSIGNAL), 1);
		ck_assert_int_eq(poll(&p, 1, 20000), 1);
	}
	heard_n = settled = 0;
	w->settle = on_settled;
	turns(2);
	ck_assert_uint_eq(heard_n, 2);
	ck_assert_uint_eq(settled, 1);
	ck_assert_ptr_eq(heard[0].next, heard[1].self);
	ck_assert_ptr_ne(heard[0].self, heard[1].self);
	ck_assert_ptr_null(heard[1].next);
	for (int i = 0; i < 2; i++)
		stream_free(s[i], false);
	close(far[0]);
}
END_TEST

START_TEST(paused_bytes_wait)
{
	open_pair(_i);
	stream_pause(tap.stream);
	peer_sends("waits");
	turns(3);
	ck_assert_uint_eq(count(&w->counters.reads), 0);
	stream_resume(tap.stream);
	UNTIL(tap.datas);
	tap_has(&tap, "waits");
	/* Bytes whose edge comes just as the owner pauses. */
	tap.pause_in = TAP_DATA;
	peer_sends("1");
	UNTIL(tap.datas == 2);
	peer_sends("2");
	turns(3);
	tap_has(&tap, "waits1");
	tap.pause_in = TAP_NONE;
	stream_resume(tap.stream);
	UNTIL(tap.datas == 3);
	tap_has(&tap, "waits12");
}
END_TEST

/* The end comes while paused: with bytes before it (_i & 2), or alone. */
START_TEST(pause_end_resume)
{
	open_pair(_i & 1);
	stream_pause(tap.stream);
	if (_i & 2)
		peer_sends("bytes");
	hang_up();
	UNTIL(peer_has_closed(tap.stream));
	turns(3);
	ck_assert_uint_eq(tap.datas + tap.eofs + tap.errors, 0);
	stream_resume(tap.stream);
	UNTIL(tap.eofs);
	tap_has(&tap, _i & 2 ? "bytes" : "");
}
END_TEST

START_TEST(pause_between_bytes_and_end)
{
	open_pair(_i);
	tap.pause_in = TAP_DATA;
	peer_sends("bytes");
	hang_up();
	UNTIL(tap.datas);
	turns(5);
	ck_assert_uint_eq(tap.eofs, 0);
	ck_assert(peer_has_closed(tap.stream));
	stream_resume(tap.stream);
	UNTIL(tap.eofs);
}
END_TEST

START_TEST(a_reset_while_paused_is_told)
{
	open_pair(_i);
	stream_pause(tap.stream);
	peer_dies_with_unread_bytes();
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, ECONNRESET);
	ck_assert_uint_eq(tap.eofs, 0);
	turns(3);
}
END_TEST

START_TEST(a_reset_after_bytes_and_pause_is_told)
{
	open_pair(_i);
	stream_pause(tap.stream);
	peer_sends("lost");
	turns(2);
	peer_dies_with_unread_bytes();
	UNTIL(tap.errors);
	ck_assert_uint_eq(tap.datas, 0);
}
END_TEST

START_TEST(a_reset_alone)
{
	open_pair(_i);
	peer_dies_with_unread_bytes();
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, ECONNRESET);
	ck_assert(!tap_send_text(&tap, "x"));
	ck_assert(peer_has_closed(tap.stream));
	stream_shutdown(tap.stream);
	turns(3);
}
END_TEST

/* In one edge, as far as the stream can tell. */
static void bytes_come_with_a_reset(int over_tcp, enum tap_call pause_in)
{
	open_pair(over_tcp);
	worker_set_time(w, w->now_ms);
	tap.pause_in = pause_in;
	ck_assert(tap_send_text(&tap, "never read"));
	peer_sends("last words");
	hang_up();
	UNTIL(tap.datas);
}

/* Bytes and a reset in one edge: the bytes are delivered, the reset is found without
 * any further edge. */
START_TEST(a_reset_with_bytes_is_found_by_the_sweep)
{
	bytes_come_with_a_reset(_i, TAP_NONE);
	tap_has(&tap, "last words");
	turns(3);
	worker_set_time(w, w->now_ms + 2000);
	turns(3);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_int_eq(tap.error, ECONNRESET);
}
END_TEST

/* Bytes and a reset in one edge, and the clock stands: no sweep comes, nothing is sent. Where
 * libevent calls the C library's epoll_wait() (sanitizers want that), the sweep alone finds it. */
static void the_reset_is_found(void)
{
	if (!sys_tells_resets())
		worker_set_time(w, w->now_ms + 2000);
	turns(3);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_int_eq(tap.error, ECONNRESET);
	ck_assert_uint_eq(tap.eofs, 0);
}

START_TEST(a_reset_with_bytes_is_found_at_once)
{
	bytes_come_with_a_reset(_i, TAP_NONE);
	tap_has(&tap, "last words");
	the_reset_is_found();
}
END_TEST

START_TEST(a_reset_with_bytes_is_found_at_once_while_paused)
{
	bytes_come_with_a_reset(_i, TAP_DATA);
	the_reset_is_found();
	tap_has(&tap, "last words");
}
END_TEST

/* The first event of a connection that was connecting brings all: that it stands, bytes, the reset.
 */
START_TEST(a_reset_with_the_first_bytes_of_a_connect)
{
	struct address a;
	int l = listening(&a);
	struct stream *s = plain_connect(w, &a, &no_options);
	ck_assert_ptr_nonnull(s);
	tap_init(&tap, s);
	worker_set_time(w, w->now_ms);
	if (_i)
		ck_assert(tap_send_text(&tap, "never read"));
	peer = accept(l, NULL, NULL);
	close(l);
	peer_sends("last words");
	peer_resets();
	if (!_i) {
		/* As ever: whether it stands is asked for, and the answer is the reset. */
		UNTIL(tap.errors);
		return;
	}
	UNTIL(tap.datas);
	tap_has(&tap, "last words");
	the_reset_is_found();
}
END_TEST

/* No receive more than the bytes' own for streams whose peer lives. */
START_TEST(bytes_without_a_reset_cost_one_receive)
{
	open_pair(_i);
	worker_set_time(w, w->now_ms);
	for (unsigned i = 1; i < 5; i++) {
		peer_sends("a");
		UNTIL(tap.datas == i);
		turns(3);
		ck_assert_uint_eq(count(&w->counters.reads), i);
	}
}
END_TEST

START_TEST(a_reset_with_bytes_is_found_while_paused)
{
	bytes_come_with_a_reset(_i, TAP_DATA);
	worker_set_time(w, w->now_ms + 2000);
	turns(3);
	ck_assert_uint_eq(tap.errors, 1);
}
END_TEST

START_TEST(a_reset_with_bytes_is_found_by_a_send)
{
	open_pair(_i);
	turns(1); /* or it would not be known whether they tell */
	worker_set_time(w, w->now_ms);
	ck_assert(tap_send_text(&tap, "never read"));
	peer_sends("last words");
	hang_up();
	if (!sys_tells_resets())
		UNTIL(tap.datas);
	ck_assert(!tap_send_text(&tap, "answer"));
	ck_assert_uint_eq(tap.errors, 0);
	UNTIL(tap.errors);
	tap_has(&tap, "last words");
}
END_TEST

START_TEST(a_resume_finds_a_doubtful_reset)
{
	bytes_come_with_a_reset(_i, TAP_DATA);
	stream_resume(tap.stream);
	turns(3);
	ck_assert_uint_eq(tap.errors, 1);
}
END_TEST

/* Of a stream that has received, where an edge would have told of a reset. */
START_TEST(nobody_doubts_what_is_told)
{
	open_pair(_i);
	worker_set_time(w, w->now_ms);
	peer_sends("a");
	UNTIL(tap.datas == 1);
	if (!sys_tells_resets())
		return;
	ck_assert_uint_eq(wheel_next(&w->wheel), UINT64_MAX);
	worker_set_time(w, w->now_ms + 2000);
	turns(3);
	ck_assert_uint_eq(count(&w->counters.reads), 1);
}
END_TEST

START_TEST(a_sweep_over_sound_streams_changes_nothing)
{
	open_pair(_i);
	worker_set_time(w, w->now_ms);
	peer_sends("a");
	UNTIL(tap.datas == 1);
	worker_set_time(w, w->now_ms + 2000);
	turns(3);
	unsigned swept = sys_tells_resets() ? 0 : 1;
	ck_assert_uint_eq(count(&w->counters.reads), 1 + swept);
	/* A send that worked has answered the question. */
	peer_sends("b");
	UNTIL(tap.datas == 2);
	ck_assert(tap_send_text(&tap, "c"));
	worker_set_time(w, w->now_ms + 2000);
	turns(3);
	ck_assert_uint_eq(count(&w->counters.reads), 2 + swept);
	ck_assert_uint_eq(wheel_next(&w->wheel), UINT64_MAX);
	peer_sends("d");
	UNTIL(tap.datas == 3);
	tap_has(&tap, "abd");
}
END_TEST

/* Of a stream that receives all the time, nothing is asked. */
START_TEST(a_sweep_spares_the_doubts_of_its_second)
{
	open_pair(_i);
	uint64_t second = w->now_ms / 1000 * 1000 + 1000;
	worker_set_time(w, second);
	peer_sends("a");
	UNTIL(tap.datas == 1);
	for (int i = 1; i < 4; i++) {
		worker_set_time(w, second + 1000u * (unsigned)i);
		peer_sends("b");
		UNTIL(tap.datas == 1u + (unsigned)i);
		worker_set_time(w, second + 1000u * (unsigned)i + 999);
		turns(3);
		ck_assert_uint_eq(count(&w->counters.reads), 1 + (unsigned)i);
	}
	worker_set_time(w, second + 5000);
	turns(3);
	ck_assert_uint_eq(count(&w->counters.reads), sys_tells_resets() ? 4 : 5);
	ck_assert_uint_eq(wheel_next(&w->wheel), UINT64_MAX);
}
END_TEST

START_TEST(reset_after_the_end)
{
	open_pair(1);
	shutdown(peer, SHUT_WR);
	UNTIL(tap.eofs);
	peer_resets();
	UNTIL(tap.errors);
	turns(3);
}
END_TEST

/* The peer ends, with bytes before it (_i) or without, and is reset before the worker looks: no
 * receive finds the reset behind the end, and no further edge tells of it. */
START_TEST(an_end_and_a_reset_in_one_edge)
{
	open_pair(1);
	worker_set_time(w, w->now_ms);
	if (_i)
		peer_sends("last words");
	shutdown(peer, SHUT_WR);
	peer_resets();
	UNTIL(_i ? tap.datas : tap.eofs);
	if (!sys_tells_resets())
		worker_set_time(w, w->now_ms + 2000);
	turns(3);
	tap_has(&tap, _i ? "last words" : "");
	ck_assert_uint_eq(tap.eofs, 1);
	ck_assert_uint_eq(tap.errors, 1);
	ck_assert_int_eq(tap.error, EPIPE);
}
END_TEST

/* Of most ends there is nothing more to ask, and so nobody asks. */
START_TEST(an_end_alone_is_asked_nothing)
{
	open_pair(_i);
	peer_sends("last words");
	shutdown(peer, SHUT_WR);
	ck_assert(fault_plan("socket_error:1:ECONNRESET"));
	UNTIL(tap.eofs);
	turns(3);
	fault_plan(NULL);
	ck_assert_uint_eq(tap.errors, 0);
	ck_assert(tap_send_text(&tap, "answer"));
	peer_gets("answer");
}
END_TEST

/* A send fails hard while bytes of the peer are still in the kernel. */
START_TEST(bytes_before_a_failed_send_are_delivered)
{
	open_pair(_i);
	peer_sends("unread");
	ck_assert(fault_plan(_i ? "writev:1:ECONNRESET" : "writev:1:EPIPE"));
	ck_assert(!tap_send_text(&tap, "abc"));
	ck_assert_uint_eq(tap.errors + tap.datas, 0);
	UNTIL(tap.errors);
	tap_has(&tap, "unread");
	ck_assert_int_eq(tap.error, _i ? ECONNRESET : EPIPE);
}
END_TEST

START_TEST(bytes_and_end_before_a_failed_send)
{
	open_pair(_i);
	peer_sends("unread");
	hang_up();
	ck_assert(fault_plan("writev:1:EPIPE,recv:1:SHORT:2,recv:3:EAGAIN"));
	ck_assert(!tap_send_text(&tap, "abc"));
	UNTIL(tap.errors);
	tap_has(&tap, "unread");
	ck_assert_uint_eq(tap.eofs, 1);
}
END_TEST

START_TEST(a_failed_send_while_paused)
{
	open_pair(_i);
	stream_pause(tap.stream);
	peer_sends("lost");
	ck_assert(fault_plan("writev:1:EPIPE"));
	ck_assert(!tap_send_text(&tap, "abc"));
	UNTIL(tap.errors);
	ck_assert_uint_eq(tap.datas, 0);
}
END_TEST

START_TEST(receives_that_fail)
{
	open_pair(_i);
	peer_sends("x");
	ck_assert(fault_plan("recv:1:ETIMEDOUT"));
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, ETIMEDOUT);
	turns(3);
}
END_TEST

/* Fills the socket until bytes are queued; returns how many were sent in all. */
static size_t fill(void)
{
	uint8_t block[10007];
	size_t at = 0;
	while (tap.stream->out.bytes < 600000) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((at + i) * 31 >> 4);
		ck_assert(tap_send(&tap, block, sizeof(block)));
		at += sizeof(block);
	}
	return at;
}

/* The peer reads `len` bytes in a child, which says whether they were the right ones. */
static pid_t child_reads(size_t len)
{
	pid_t pid = fork();
	if (pid > 0)
		return pid;
	keep_peer_only();
	uint8_t block[7001];
	size_t at = 0;
	bool same = true;
	ssize_t n;
	while ((n = read(peer, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			same &= block[i] == (uint8_t)((at + (size_t)i) * 31 >> 4);
		at += (size_t)n;
	}
	_exit(same && at == len && n == 0 ? 0 : 1);
}

static void child_was_content(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static const char *const send_plans[] = {
        NULL,
        "writev:0:SHORT:200,send:0:SHORT:200",
        "writev:0:EAGAIN:200,send:0:EAGAIN:200",
        "writev:0:EINTR:300,writev:0:SHORT:100,writev:0:EAGAIN:100",
};

START_TEST(a_queue_flows_off)
{
	/* Sizes that the kernel does not change. */
	int bytes = 65536, fd = make_pair(_i % 2);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	tap_init(&tap, plain_accepted(w, fd));
	stream_set_marks(tap.stream, 100000, 50000);
	ck_assert(fault_plan(send_plans[_i / 2]));
	size_t len = fill();
	ck_assert(stream_is_over(tap.stream));
	turns(3);
	ck_assert_uint_eq(tap.drains, 0);
	pid_t pid = child_reads(len);
	hang_up();
	UNTIL(queue_is_empty(&tap.stream->out));
	ck_assert_uint_ge(tap.drains, 1); /* under the low mark, if it stopped there, and empty */
	ck_assert_uint_le(tap.drains, 2);
	stream_shutdown(tap.stream);
	UNTIL(tap.eofs); /* the child has ended */
	child_was_content(pid);
}
END_TEST

START_TEST(shutdown_behind_a_queue)
{
	open_pair(_i);
	size_t len = fill();
	stream_shutdown(tap.stream);
	ck_assert(!tap_send_text(&tap, "late"));
	pid_t pid = child_reads(len);
	hang_up();
	UNTIL(tap.eofs);
	child_was_content(pid);
}
END_TEST

static bool send_last(const char *text)
{
	struct slice v = slice_str(text);
	tap.inside++;
	bool sent = stream_send_last(tap.stream, &v, 1);
	tap.inside--;
	return sent;
}

static void peer_ends(void)
{
	char c;
	ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
}

/* Whatever the send does. */
static const char *const last_plans[] = {
        NULL,
        "send:1:SHORT",
        "send:1:EAGAIN",
        "send:1:EINTR",
};

START_TEST(the_last_bytes_and_the_end)
{
	open_pair(_i % 2);
	ck_assert(fault_plan(last_plans[_i / 2]));
	ck_assert(tap_send_text(&tap, ""));
	ck_assert(send_last("goodbye"));
	ck_assert(!send_last("late"));
	ck_assert(!tap_send_text(&tap, "late"));
	UNTIL(tap.stream->flags & STREAM_FIN_SENT);
	peer_gets("goodbye");
	peer_ends();
	peer_sends("heard");
	UNTIL(tap.datas);
	tap_has(&tap, "heard");
}
END_TEST

/* The C library does not know all of the kernel's struct. */
static uint32_t segments_in(int fd)
{
	enum { SEGS_IN_AT = 140 };
	char info[SEGS_IN_AT + sizeof(uint32_t)];
	socklen_t len = sizeof(info);
	uint32_t n;
	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
	ck_assert_uint_eq(len, sizeof(info));
	memcpy(&n, info + SEGS_IN_AT, sizeof(n));
	return n;
}

/* One segment has both, so whoever sees the bytes sees the end. */
START_TEST(the_last_bytes_come_with_the_end)
{
	open_pair(1);
	ck_assert(send_last("goodbye"));
	struct pollfd p = {.fd = peer, .events = POLLIN | POLLRDHUP};
	ck_assert_int_eq(poll(&p, 1, 20000), 1);
	ck_assert_int_eq(p.revents & (POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
	ck_assert_uint_eq(segments_in(peer), 2); /* the handshake's, and this one */
}
END_TEST

START_TEST(the_last_bytes_behind_a_queue)
{
	open_pair(_i);
	size_t len = fill();
	uint8_t last = (uint8_t)(len * 31 >> 4);
	struct slice v = slice_of(&last, 1);
	ck_assert(stream_send_last(tap.stream, &v, 1));
	pid_t pid = child_reads(len + 1);
	hang_up();
	UNTIL(tap.eofs);
	child_was_content(pid);
}
END_TEST

START_TEST(the_last_bytes_fail)
{
	open_pair(_i % 2);
	ck_assert(fault_plan(_i / 2 ? "shutdown:1:ENOTCONN" : "send:1:EPIPE"));
	ck_assert(send_last("goodbye") == (_i / 2));
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, _i / 2 ? ENOTCONN : EPIPE);
}
END_TEST

START_TEST(a_reset_with_a_full_queue)
{
	open_pair(_i);
	fill();
	peer_resets();
	UNTIL(tap.errors);
	ck_assert_uint_eq(tap.stream->out.bytes, 0);
	ck_assert_uint_eq(tap.drains, 0);
}
END_TEST

START_TEST(queue_memory_is_short)
{
	open_pair(_i);
	fill();
	ck_assert(fault_plan("alloc:0:ENOMEM:1000"));
	uint8_t block[5000] = {0};
	ck_assert(!tap_send(&tap, block, sizeof(block)));
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, ENOMEM);
}
END_TEST

START_TEST(shutdown_that_fails)
{
	open_pair(_i);
	ck_assert(fault_plan("shutdown:1:ENOTCONN"));
	stream_shutdown(tap.stream);
	stream_shutdown(tap.stream);
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, ENOTCONN);
}
END_TEST

START_TEST(freed_inside_a_callback)
{
	open_pair(_i & 1);
	tap.free_in = (enum tap_call)(_i / 2);
	if (tap.free_in == TAP_DRAIN) {
		size_t len = fill();
		pid_t pid = child_reads(len);
		hang_up();
		UNTIL(!tap.stream);
		child_was_content(pid);
		return;
	}
	peer_sends("x");
	if (tap.free_in == TAP_ERROR)
		peer_dies_with_unread_bytes();
	else
		hang_up();
	worker_set_time(w, w->now_ms);
	for (int i = 0; i < 5 && tap.stream; i++) {
		worker_turn(w, 0);
		worker_set_time(w, w->now_ms + 2000);
	}
	ck_assert_ptr_null(tap.stream);
	turns(3);
}
END_TEST

START_TEST(freed_with_work_pending)
{
	open_pair(_i);
	peer_sends("x");
	fault_plan("writev:1:EPIPE");
	tap_send_text(&tap, "abc");
	stream_free(tap.stream, false);
	tap.stream = NULL;
	turns(3);
	ck_assert_uint_eq(tap.datas + tap.errors, 0);
}
END_TEST

START_TEST(freeing_ends_or_resets)
{
	char c;
	open_pair(_i);
	stream_free(tap.stream, false);
	ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
	hang_up();
	if (!_i) {
		tap.stream = NULL;
		return;
	}
	open_pair(1);
	stream_free(tap.stream, true);
	tap.stream = NULL;
	ck_assert_int_eq(recv(peer, &c, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

/* The kernel is not asked to take a descriptor out of the epoll before it is closed; the next
 * one of its number is watched all the same, in its own right. */
START_TEST(a_descriptor_is_used_again)
{
	int before = make_pair(_i);
	tap_init(&tap, plain_accepted(w, before));
	int gone = peer;
	peer_sends("first");
	UNTIL(tap.datas);
	stream_free(tap.stream, _i);
	tap.stream = NULL;
	tap_free(&tap);
	turns(1);
	close(gone);
	int fd = make_pair(_i);
	if (fd != before) {
		ck_assert_int_eq(dup2(fd, before), before);
		ck_assert_int_eq(close(fd), 0);
	}
	tap_init(&tap, plain_accepted(w, before));
	turns(2);
	ck_assert_uint_eq(tap.datas + tap.eofs + tap.errors, 0);
	peer_sends("second");
	UNTIL(tap.datas);
	tap_has(&tap, "second");
	hang_up();
	UNTIL(tap.eofs + tap.errors);
}
END_TEST

START_TEST(no_memory_for_a_stream)
{
	int fd = make_pair(_i);
	ck_assert(fault_plan("alloc:1:ENOMEM"));
	ck_assert_ptr_null(plain_accepted(w, fd));
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* Connecting. */

static int server; /* listens */
static struct address server_address;
static char server_path[64];

/* A server over a unix socket or TCP. */
static void serve(int over_tcp)
{
	if (over_tcp) {
		server = listening(&server_address);
		return;
	}
	char text[80];
	snprintf(server_path, sizeof(server_path), "/tmp/net_plain.%d.sock", (int)getpid());
	snprintf(text, sizeof(text), "unix:%s", server_path);
	unlink(server_path);
	ck_assert(address_parse(&server_address, text));
	server = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server, &server_address.sa, server_address.len), 0);
	ck_assert_int_eq(listen(server, 16), 0);
}

static void stop_serving(void)
{
	close(server);
	if (server_path[0])
		unlink(server_path);
	server_path[0] = '\0';
}

START_TEST(connects_and_sends_before_it_knows)
{
	serve(_i);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	ck_assert(tap_send_text(&tap, "early"));
	ck_assert_uint_eq(tap.connects, 0);
	UNTIL(tap.connects);
	peer = accept(server, NULL, NULL);
	stop_serving();
	peer_gets("early");
	ck_assert_uint_eq(count(&w->counters.connects), 1);
	ck_assert_uint_eq(count(&w->counters.connect_errors), 0);
	peer_sends("hello");
	UNTIL(tap.datas);
	tap_has(&tap, "hello");
}
END_TEST

START_TEST(connects_and_sends_when_the_kernel_is_not_ready)
{
	serve(_i);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	ck_assert(fault_plan("writev:1:EAGAIN,send:1:EAGAIN"));
	ck_assert(tap_send_text(&tap, "early"));
	ck_assert_uint_eq(tap.stream->out.bytes, 5);
	stream_shutdown(tap.stream);
	UNTIL(tap.connects && tap.drains);
	peer = accept(server, NULL, NULL);
	stop_serving();
	peer_gets("early");
	char c;
	ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
}
END_TEST

START_TEST(shutdown_before_connected)
{
	char c;
	serve(_i);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	stream_shutdown(tap.stream);
	UNTIL(tap.connects);
	peer = accept(server, NULL, NULL);
	stop_serving();
	ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
	peer_sends("still");
	UNTIL(tap.datas);
}
END_TEST

START_TEST(freed_in_on_connect)
{
	serve(_i);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	tap.free_in = TAP_CONNECT;
	UNTIL(!tap.stream);
	turns(2);
	stop_serving();
}
END_TEST

START_TEST(refused)
{
	serve(_i);
	close(server);
	server = -1;
	struct stream *s = plain_connect(w, &server_address, &no_options);
	if (s) {
		tap_init(&tap, s);
		if (_i & 2)
			tap_send_text(&tap, "x");
		UNTIL(tap.errors);
		ck_assert_int_eq(tap.error, ECONNREFUSED);
		ck_assert_uint_eq(tap.connects, 0);
	} else {
		ck_assert_int_eq(errno, ECONNREFUSED);
	}
	ck_assert_uint_eq(count(&w->counters.connect_errors), 1);
	ck_assert_uint_eq(count(&w->counters.connects), 0);
	unlink(server_path);
	server_path[0] = '\0';
}
END_TEST

static const struct {
	const char *plan;
	int error;
} failures[] = {
        {"socket:1:EMFILE", EMFILE},
        {"connect:1:ENETUNREACH", ENETUNREACH},
        {"connect:1:EADDRNOTAVAIL", EADDRNOTAVAIL},
        {"connect:1:EAGAIN", EAGAIN},
        {"alloc:1:ENOMEM", ENOMEM},
};

START_TEST(connects_that_fail_at_once)
{
	serve(1);
	ck_assert(fault_plan(failures[_i].plan));
	errno = 0;
	ck_assert_ptr_null(plain_connect(w, &server_address, &no_options));
	ck_assert_int_eq(errno, failures[_i].error);
	ck_assert_uint_eq(count(&w->counters.connect_errors), 1);
	stop_serving();
}
END_TEST

START_TEST(connects_that_fail_later)
{
	serve(_i);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	ck_assert(fault_plan("socket_error:1:EHOSTUNREACH"));
	UNTIL(tap.errors);
	ck_assert_int_eq(tap.error, EHOSTUNREACH);
	ck_assert_uint_eq(tap.connects, 0);
	ck_assert_uint_eq(count(&w->counters.connect_errors), 1);
	stop_serving();
}
END_TEST

/* Then nobody need be asked whether it is connected. */
START_TEST(bytes_are_taken_only_when_it_is_connected)
{
	serve(_i);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	tap_send_text(&tap, "x");
	ck_assert(fault_plan("socket_error:1:EHOSTUNREACH"));
	UNTIL(tap.connects);
	turns(3);
	ck_assert_uint_eq(tap.errors, 0);
	ck_assert_uint_eq(count(&w->counters.connects), 1);
	ck_assert_uint_eq(count(&w->counters.connect_errors), 0);
	stop_serving();
}
END_TEST

START_TEST(an_interrupted_connect_goes_on)
{
	/* The plan makes the call up, so the socket never was connected. */
	serve(1);
	ck_assert(fault_plan("connect:1:EINTR"));
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	UNTIL(tap.errors);
	stop_serving();
}
END_TEST

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

START_TEST(options)
{
	struct socket_options o = {.send_buffer = 32768,
	        .receive_buffer = 16384,
	        .keepalive_ms = 30999,
	        .user_timeout_ms = 20500};
	serve(_i);
	/* The number that the next descriptor gets. */
	int fd = dup(server);
	close(fd);
	tap_init(&tap, plain_connect(w, &server_address, &o));
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 32768);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 16384);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	stream_settle(tap.stream, &o);
	if (_i) {
		ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
		ck_assert_int_ne(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
		ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
		ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
		ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
		ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 20500);
	}
	stop_serving();
}
END_TEST

/* Whoever is to speak first and does not: the server has the connection all the same, later. */
START_TEST(connects_to_speak_first)
{
	struct socket_options o = {.speaks_first = true};
	serve(_i % 2);
	tap_init(&tap, plain_connect(w, &server_address, &o));
	if (_i < 2)
		ck_assert(tap_send_text(&tap, "early"));
	UNTIL(tap.connects);
	peer = accept(server, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	stop_serving();
	peer_sends("hello");
	UNTIL(tap.datas);
	if (_i >= 2)
		ck_assert(tap_send_text(&tap, "early"));
	peer_gets("early");
}
END_TEST

START_TEST(options_that_are_off)
{
	serve(1);
	int fd = dup(server);
	close(fd);
	tap_init(&tap, plain_connect(w, &server_address, &no_options));
	stream_settle(tap.stream, &no_options);
	ck_assert_int_ne(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	ck_assert_int_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	tap_free(&tap);
	/* The kernel knows no less than a second. */
	struct socket_options o = {.keepalive_ms = 1};
	worker_turn(w, 0);
	tap_init(&tap, plain_connect(w, &server_address, &o));
	stream_settle(tap.stream, &o);
	ck_assert_int_ne(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1);
	ck_assert_int_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 1);
	stop_serving();
}
END_TEST

/* A source address does not take a port of its own for all destinations. */
START_TEST(a_source_leaves_the_port_to_the_connect)
{
	struct address source;
	address_parse(&source, "127.0.0.1:0");
	struct socket_options o = {.source = &source};
	serve(1);
	int fd = dup(server);
	close(fd);
	tap_init(&tap, plain_connect(w, &server_address, &o));
	ck_assert_int_eq(option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
	ck_assert(stream_local_address(tap.stream, &source));
	ck_assert_uint_ne(address_port(&source), 0);
	stop_serving();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/plain");
	TCase *t = tcase_create("plain");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, one_receive_and_one_send_for_a_message, 0, 2);
	tcase_add_loop_test(t, quiet_until_something_comes, 0, 2);
	tcase_add_loop_test(t, end_after_bytes_in_one_edge, 0, 2);
	tcase_add_loop_test(t, end_after_its_own_edge, 0, 2);
	tcase_add_loop_test(t, end_without_bytes, 0, 2);
	tcase_add_loop_test(t, full_receives, 0, 2);
	tcase_add_loop_test(t, receives_while_memory_is_short, 0, 2);
	tcase_add_loop_test(t, a_stream_of_bytes_whatever_the_receives_do, 0, 10);
	tcase_add_loop_test(t, a_busy_stream_does_not_starve_another, 0, 2);
	tcase_add_loop_test(t, who_is_served_next, 0, 2);
	tcase_add_loop_test(t, paused_bytes_wait, 0, 2);
	tcase_add_loop_test(t, pause_end_resume, 0, 4);
	tcase_add_loop_test(t, pause_between_bytes_and_end, 0, 2);
	tcase_add_loop_test(t, a_reset_while_paused_is_told, 0, 2);
	tcase_add_loop_test(t, a_reset_after_bytes_and_pause_is_told, 0, 2);
	tcase_add_loop_test(t, a_reset_alone, 0, 2);
	tcase_add_loop_test(t, a_reset_with_bytes_is_found_by_the_sweep, 0, 2);
	tcase_add_loop_test(t, a_reset_with_bytes_is_found_at_once, 0, 2);
	tcase_add_loop_test(t, a_reset_with_bytes_is_found_at_once_while_paused, 0, 2);
	tcase_add_loop_test(t, a_reset_with_the_first_bytes_of_a_connect, 0, 2);
	tcase_add_loop_test(t, bytes_without_a_reset_cost_one_receive, 0, 2);
	tcase_add_loop_test(t, a_reset_with_bytes_is_found_while_paused, 0, 2);
	tcase_add_loop_test(t, a_reset_with_bytes_is_found_by_a_send, 0, 2);
	tcase_add_loop_test(t, a_resume_finds_a_doubtful_reset, 0, 2);
	tcase_add_loop_test(t, nobody_doubts_what_is_told, 0, 2);
	tcase_add_loop_test(t, a_sweep_over_sound_streams_changes_nothing, 0, 2);
	tcase_add_loop_test(t, a_sweep_spares_the_doubts_of_its_second, 0, 2);
	tcase_add_test(t, reset_after_the_end);
	tcase_add_loop_test(t, an_end_and_a_reset_in_one_edge, 0, 2);
	tcase_add_loop_test(t, an_end_alone_is_asked_nothing, 0, 2);
	tcase_add_loop_test(t, bytes_before_a_failed_send_are_delivered, 0, 2);
	tcase_add_loop_test(t, bytes_and_end_before_a_failed_send, 0, 2);
	tcase_add_loop_test(t, a_failed_send_while_paused, 0, 2);
	tcase_add_loop_test(t, receives_that_fail, 0, 2);
	tcase_add_loop_test(t, a_queue_flows_off, 0, 8);
	tcase_add_loop_test(t, shutdown_behind_a_queue, 0, 2);
	tcase_add_loop_test(t, the_last_bytes_and_the_end, 0, 8);
	tcase_add_test(t, the_last_bytes_come_with_the_end);
	tcase_add_loop_test(t, the_last_bytes_behind_a_queue, 0, 2);
	tcase_add_loop_test(t, the_last_bytes_fail, 0, 4);
	tcase_add_loop_test(t, a_reset_with_a_full_queue, 0, 2);
	tcase_add_loop_test(t, queue_memory_is_short, 0, 2);
	tcase_add_loop_test(t, shutdown_that_fails, 0, 2);
	tcase_add_loop_test(t, freed_inside_a_callback, 2 * TAP_DATA, 2 * TAP_DRAIN + 2);
	tcase_add_loop_test(t, freed_with_work_pending, 0, 2);
	tcase_add_loop_test(t, freeing_ends_or_resets, 0, 2);
	tcase_add_loop_test(t, a_descriptor_is_used_again, 0, 2);
	tcase_add_loop_test(t, no_memory_for_a_stream, 0, 2);
	tcase_add_loop_test(t, connects_and_sends_before_it_knows, 0, 2);
	tcase_add_loop_test(t, connects_and_sends_when_the_kernel_is_not_ready, 0, 2);
	tcase_add_loop_test(t, shutdown_before_connected, 0, 2);
	tcase_add_loop_test(t, freed_in_on_connect, 0, 2);
	tcase_add_loop_test(t, refused, 0, 4);
	tcase_add_loop_test(
	        t, connects_that_fail_at_once, 0, sizeof(failures) / sizeof(failures[0]));
	tcase_add_loop_test(t, connects_that_fail_later, 0, 2);
	tcase_add_loop_test(t, bytes_are_taken_only_when_it_is_connected, 0, 2);
	tcase_add_test(t, an_interrupted_connect_goes_on);
	tcase_add_loop_test(t, options, 0, 2);
	tcase_add_loop_test(t, connects_to_speak_first, 0, 4);
	tcase_add_test(t, options_that_are_off);
	tcase_add_test(t, a_source_leaves_the_port_to_the_connect);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
