/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INPUT = 128 * 1024,
	OUT_ENOUGH = 64 * 1024, /* no further frame is made while so much waits */
	FRAME_MOST = 200000,
	TURN_MS = 3,
	EVENTS = 256,
};

static const struct peer_owner *owner;
static struct peer *peers;
static unsigned count;
static int epoll;
static bool is_secure;
static uint8_t input[INPUT], wanted[INPUT];

_Noreturn void peer_wrong(const struct peer *p, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	die("session %016llx, at the %s, after %u messages: %s",
	        (unsigned long long)p->script.session, p->role == CLIENT ? "client" : "upstream",
	        p->entry ? p->entry->got_messages : 0, text);
}

static const struct side_script *mine(const struct peer *p)
{
	return &p->script.side[p->role];
}

static enum role other_role(const struct peer *p)
{
	return p->role == CLIENT ? UPSTREAM : CLIENT;
}

static const struct side_script *others(const struct peer *p)
{
	return &p->script.side[other_role(p)];
}

/* A peer's life */

struct peer *peer_new(int fd, enum role role)
{
	struct peer *p = must_alloc(sizeof(*p));

	p->fd = fd;
	p->role = role;
	if (is_secure)
		p->tls = role == CLIENT ? secure_new(fd) : secure_accept(fd);
	p->in_head = true;
	p->next = peers;
	peers = p;
	count++;
	return p;
}

void peer_assign(struct peer *p, const struct script *s, struct entry *e)
{
	p->script = *s;
	p->entry = e;
	p->draw.state = hash64(s->seed + s->session * 2 + p->role);
	p->burst_left = mine(p)->burst;
	e->tight = s->tight;
}

void peer_end(struct peer *p, enum ending how)
{
	if (p->gone)
		return;
	if (p->entry)
		p->entry->ending =
		        (uint8_t)(p->send_failed && how == ENDED_EOF ? ENDED_RESET : how);
	close(p->fd);
	p->gone = true;
}

void peer_reset(struct peer *p, enum fault fault)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (p->entry)
		p->entry->fault = (uint8_t)fault;
	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_end(p, ENDED_OWN);
}

static void free_gone(void)
{
	for (struct peer **at = &peers; *at;) {
		struct peer *p = *at;

		if (!p->gone) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		count--;
		owner->on_gone(p);
		if (p->tls)
			secure_free(p->tls);
		head_free(&p->head);
		free(p->out);
		free(p);
	}
}

/* Making frames */

static uint8_t *out_reserve(struct peer *p, size_t len)
{
	if (p->out_len + len > p->out_room) {
		p->out_room = p->out_len + len;
		p->out = realloc(p->out, p->out_room);
		if (!p->out)
			die("no memory for %zu bytes of output", p->out_room);
	}
	p->out_len += len;
	return p->out + p->out_len - len;
}

void peer_put(struct peer *p, const void *bytes, size_t len)
{
	memcpy(out_reserve(p, len), bytes, len);
}

/* Writes a header and returns where its payload goes; *key is to be used with it. */
static uint8_t *put_header(struct peer *p, unsigned first, size_t len, uint8_t key[4])
{
	uint8_t header[WS_HEADER_MAX];
	uint64_t drawn = draw_next(&p->draw);
	size_t n;

	memcpy(key, &drawn, 4);
	n = ws_put_header(header, (uint8_t)first, len, p->role == CLIENT ? key : NULL);
	peer_put(p, header, n);
	return out_reserve(p, len);
}

static void mask(const struct peer *p, uint8_t *payload, size_t len, const uint8_t key[4])
{
	if (p->role == CLIENT)
		ws_mask(payload, payload, len, key, 0);
}

static void put_control(struct peer *p, unsigned opcode, const void *payload, size_t len)
{
	uint8_t key[4], *to;

	if (p->entry->close_sent || p->send_failed || p->shut)
		return;
	to = put_header(p, WS_FIN | opcode, len, key);
	if (len)
		memcpy(to, payload, len);
	mask(p, to, len, key);
}

static size_t ping_text(const struct peer *p, enum role from, uint32_t number, char out[64])
{
	return (size_t)snprintf(out, 64, "ping %016llx %c %u",
	        (unsigned long long)p->script.session, from == CLIENT ? 'u' : 'd', number);
}

static size_t reason_text(const struct peer *p, enum role from, char out[64])
{
	return (size_t)snprintf(out, 64, "ledger %016llx %c", (unsigned long long)p->script.session,
	        from == CLIENT ? 'u' : 'd');
}

static void put_ping(struct peer *p)
{
	char text[64];
	size_t len = ping_text(p, p->role, p->entry->sent_pings, text);

	p->entry->sent_pings++;
	put_control(p, WS_PING, text, len);
}

static void put_close(struct peer *p, unsigned code)
{
	uint8_t payload[2 + 64] = {(uint8_t)(code >> 8), (uint8_t)code};
	size_t len = reason_text(p, p->role, (char *)payload + 2);

	put_control(p, WS_CLOSE, payload, 2 + len);
	p->entry->close_sent = (uint16_t)code;
}

static void put_fragment(struct peer *p)
{
	uint32_t rest = p->sending.len - p->sent_of, len = rest;
	unsigned opcode = p->sent_of || p->sending_begun ? 0
	                  : p->sending.text              ? WS_TEXT
	                                                 : WS_BINARY;
	size_t before = p->out_len;
	uint8_t key[4], *to;
	bool last;

	if (len > FRAME_MOST || draw_one_in(&p->draw, 4))
		len = draw_below(&p->draw, (rest < FRAME_MOST ? rest : FRAME_MOST) + 1);
	last = len == rest && !draw_one_in(&p->draw, 16); /* else an empty one ends it */
	to = put_header(p, (last ? WS_FIN : 0) | opcode, len, key);
	message_bytes(&p->sending, p->sent_of, to, len);
	mask(p, to, len, key);
	p->sent_of += len;
	p->sending_begun = !last;
	p->entry->sent_bytes += p->out_len - before;
	if (last) {
		p->entry->sent_messages++;
		p->number++;
	}
}

static void begin_message(struct peer *p)
{
	p->sending =
	        message_make(p->script.seed, p->script.session, p->role, p->number, mine(p)->sizes);
	p->sent_of = 0;
	put_fragment(p);
	if (--p->burst_left == 0) {
		p->burst_left = mine(p)->burst;
		p->talk_ns = now_ns() + (uint64_t)mine(p)->pause_ms * MS;
	}
}

/* Trouble */

static bool is_fault_due(const struct peer *p)
{
	enum fault f = mine(p)->fault;

	return (f == FAULT_RESET || f == FAULT_CUT || f == FAULT_VANISH) && !p->sending_begun &&
	       p->number == mine(p)->fault_at;
}

/* One frame more, if there is one, and the connection ends somewhere inside. */
static void begin_fault(struct peer *p)
{
	size_t before = p->out_len, missing;
	uint32_t whole = p->entry->sent_messages;

	if (mine(p)->fault != FAULT_VANISH && p->number < mine(p)->messages)
		begin_message(p);
	p->out_fault = before + draw_below(&p->draw, (uint32_t)(p->out_len - before) + 1);
	missing = p->out_len - p->out_fault;
	p->entry->sent_bytes -= missing;
	if (missing)
		p->entry->sent_messages = whole;
	p->faulting = true;
	p->speaking = false;
}

static bool is_at_fault(const struct peer *p)
{
	return p->faulting && !p->shut && !p->send_failed && p->out_at == p->out_fault;
}

static void shut(struct peer *p)
{
	shutdown(p->fd, SHUT_WR);
	p->shut = true;
}

static void do_fault(struct peer *p)
{
	p->entry->fault = (uint8_t)mine(p)->fault;
	if (mine(p)->fault == FAULT_RESET) {
		peer_reset(p, FAULT_RESET);
	} else {
		shut(p);
	}
}

static bool is_half_due(const struct peer *p)
{
	return mine(p)->half && !p->in_head && p->entry->close_sent && !p->shut &&
	       !p->send_failed && p->out_at == p->out_len;
}

/* Sending */

static bool is_all_got(const struct peer *p)
{
	return p->entry->got_messages == others(p)->messages;
}

static bool wants_close(const struct peer *p)
{
	if (p->entry->close_got)
		return !p->sending_begun || mine(p)->abrupt;
	return p->number == mine(p)->messages && !p->sending_begun && mine(p)->closes &&
	       (mine(p)->eager || is_all_got(p));
}

static bool has_more(const struct peer *p)
{
	return p->sending_begun || p->number < mine(p)->messages;
}

static void speak(struct peer *p)
{
	uint64_t now = now_ns();

	while (p->speaking && !p->entry->close_sent && p->out_len - p->out_at < OUT_ENOUGH) {
		if (is_fault_due(p))
			begin_fault(p);
		else if (wants_close(p))
			put_close(p, p->entry->close_got ? p->entry->close_got : mine(p)->code);
		else if (!has_more(p) || now < p->talk_ns)
			break;
		else if (draw_one_in(&p->draw, 16))
			put_ping(p);
		else if (p->sending_begun)
			put_fragment(p);
		else
			begin_message(p);
	}
}

static void send_broke(struct peer *p)
{
	p->send_failed = true;
	p->speaking = p->stalled = p->blocked = false;
	p->out_at = p->out_len = 0;
}

static size_t sendable(const struct peer *p)
{
	return (p->faulting ? p->out_fault : p->out_len) - p->out_at;
}

static void flush(struct peer *p)
{
	uint32_t dribble = p->entry ? mine(p)->dribble : 0;
	bool is_waiting = false;
	size_t len;

	if (p->send_failed || now_ns() < p->flush_ns)
		return;
	p->blocked = false;
	while (!p->blocked && (len = sendable(p)) != 0) {
		ssize_t n;

		if (dribble && len > dribble && !(p->tls && secure_owes(p->tls)))
			len = 1 + draw_below(&p->draw, dribble);
		n = p->tls ? secure_send(p->tls, p->out + p->out_at, len)
		           : send(p->fd, p->out + p->out_at, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN) {
			send_broke(p);
			return;
		}
		p->blocked = n < (ssize_t)len;
		is_waiting = p->blocked && p->tls && !secure_wants_write(p->tls);
		if (n > 0)
			p->out_at += (size_t)n;
		if (dribble) {
			p->flush_ns = now_ns() + MS;
			break;
		}
	}
	if (is_waiting)
		p->blocked = false; /* for the other side's part of a handshake, not for room */
	if (p->out_at == p->out_len && !p->faulting) {
		free(p->out);
		p->out = NULL;
		p->out_at = p->out_len = p->out_room = 0;
	}
}

static bool is_done(const struct peer *p)
{
	return p->entry->close_sent && p->entry->close_got && p->out_at == p->out_len &&
	       (p->role == UPSTREAM || mine(p)->hasty);
}

static void end_stall(struct peer *p)
{
	if (p->stalled && now_ns() >= p->stall_end_ns)
		p->stalled = false;
}

static void run(struct peer *p)
{
	if (p->gone)
		return;
	end_stall(p);
	if (p->entry)
		speak(p);
	flush(p);
	if (p->entry && is_at_fault(p))
		do_fault(p);
	else if (p->entry && (is_done(p) || (p->send_failed && p->entry->close_got)))
		peer_end(p, ENDED_OWN);
	else if (p->entry && is_half_due(p))
		shut(p);
	if (!p->gone)
		watch(epoll, p->fd, &p->watched,
		        (p->stalled ? 0u : EPOLLIN) | (p->blocked ? EPOLLOUT : 0u), p);
}

/* Receiving */

static void got_close(struct peer *p)
{
	char reason[64];
	size_t len = reason_text(p, other_role(p), reason);
	bool from_peer = p->frame.len == 2 + len && memcmp(p->control + 2, reason, len) == 0;

	if (p->frame.len < 2)
		peer_wrong(p, "a close frame of %llu bytes", (unsigned long long)p->frame.len);
	p->entry->close_got = (uint16_t)(p->control[0] << 8 | p->control[1]);
	p->entry->close_from = from_peer ? FROM_PEER : FROM_PROXY;
}

static bool is_proxys_ping(const struct peer *p)
{
	return p->role == CLIENT && p->frame.len == 16 && memcmp(p->control, "moongate", 8) == 0;
}

static void check_ping(struct peer *p, const char *what, enum role from, uint32_t number)
{
	char text[64];
	size_t len = ping_text(p, from, number, text);

	if (p->frame.len != len || memcmp(p->control, text, len) != 0)
		peer_wrong(p, "a %s \"%.*s\" where \"%s\" was due", what, (int)p->frame.len,
		        (const char *)p->control, text);
}

static void on_control(struct peer *p)
{
	switch (p->frame.first & 0x0f) {
	case WS_PING:
		if (!is_proxys_ping(p))
			check_ping(p, "ping", other_role(p), p->entry->got_pings++);
		if (!p->entry->close_got)
			put_control(p, WS_PONG, p->control, (size_t)p->frame.len);
		break;
	case WS_PONG:
		if (p->entry->got_pongs >= p->entry->sent_pings)
			peer_wrong(p, "a pong that nobody asked for");
		check_ping(p, "pong", p->role, p->entry->got_pongs++);
		break;
	default:
		got_close(p);
	}
}

static void on_message(struct peer *p)
{
	const struct side_script *s = mine(p);

	p->awaited_begun = false;
	p->entry->got_messages++;
	if (p->stalled_once || p->entry->got_messages <= s->stall_at)
		return;
	p->stalled = p->stalled_once = true;
	p->stall_end_ns = now_ns() + (uint64_t)s->stall_ms * MS;
	if (s->fault == FAULT_STALL)
		p->entry->fault = FAULT_STALL;
}

static void frame_end(struct peer *p)
{
	if (p->frame.first & 0x08)
		on_control(p);
	else if (p->frame.first & WS_FIN)
		on_message(p);
}

static void begin_data(struct peer *p, size_t header_len)
{
	unsigned opcode = p->frame.first & 0x0f, due;

	if (!p->awaited_begun && p->entry->got_messages >= others(p)->messages)
		peer_wrong(p, "a message more than the other side has");
	if (!p->awaited_begun) {
		p->awaited = message_make(p->script.seed, p->script.session, other_role(p),
		        p->entry->got_messages, others(p)->sizes);
		p->got_of = 0;
	}
	due = p->awaited_begun ? 0 : p->awaited.text ? WS_TEXT : WS_BINARY;
	p->awaited_begun = true;
	p->entry->got_bytes += header_len;
	if (opcode != due)
		peer_wrong(p, "opcode %u where %u was due", opcode, due);
	if (p->frame.len > p->awaited.len - p->got_of ||
	        ((p->frame.first & WS_FIN) && p->frame.len != p->awaited.len - p->got_of))
		peer_wrong(p, "a frame %02x of %llu bytes at %u of a message of %u", p->frame.first,
		        (unsigned long long)p->frame.len, p->got_of, p->awaited.len);
}

static void frame_begin(struct peer *p)
{
	unsigned first = p->frame.first, opcode = first & 0x0f;
	size_t header_len = p->part_len;

	p->part_len = 0;
	p->left = p->frame.len;
	p->done = 0;
	if ((first & 0x70) || p->frame.masked != (p->role == UPSTREAM))
		peer_wrong(p, "a header that begins with %02x, masked %d", first, p->frame.masked);
	if (p->entry->close_got)
		peer_wrong(p, "a frame %02x after the close frame", first);
	if (!(opcode & 0x08))
		begin_data(p, header_len);
	else if (opcode > WS_PONG || !(first & WS_FIN) || p->frame.len > WS_CONTROL_MAX)
		peer_wrong(p, "a control frame %02x of %llu bytes", first,
		        (unsigned long long)p->frame.len);
	if (!p->left)
		frame_end(p);
}

static size_t take_header(struct peer *p, const uint8_t *buf)
{
	p->part[p->part_len++] = buf[0];
	if (ws_get_header(&p->frame, p->part, p->part_len))
		frame_begin(p);
	return 1;
}

static void compare(struct peer *p, const uint8_t *buf, size_t len)
{
	size_t at = 0;

	message_bytes(&p->awaited, p->got_of, wanted, len);
	if (memcmp(buf, wanted, len) != 0) {
		while (buf[at] == wanted[at])
			at++;
		peer_wrong(p, "byte %zu of a message of %u is wrong; it begins \"%.32s\"",
		        p->got_of + at, p->awaited.len, p->got_of ? "" : (const char *)buf);
	}
	p->got_of += (uint32_t)len;
	p->entry->got_bytes += len;
}

static size_t take_payload(struct peer *p, uint8_t *buf, size_t len)
{
	if (len > p->left)
		len = (size_t)p->left;
	if (p->frame.masked)
		ws_mask(buf, buf, len, p->frame.key, p->done);
	if (p->frame.first & 0x08)
		memcpy(p->control + p->done, buf, len);
	else
		compare(p, buf, len);
	p->done += len;
	p->left -= len;
	if (!p->left)
		frame_end(p);
	return len;
}

static size_t take_head(struct peer *p, const uint8_t *buf, size_t len)
{
	bool complete;
	size_t used = head_add(&p->head, buf, len, &complete);

	if (!complete)
		return used;
	p->in_head = false;
	owner->on_head(p);
	return used;
}

/* How much is read at once: with small buffers less, so that the loop comes round. */
static size_t read_size(const struct peer *p)
{
	return p->entry && mine(p)->receive_buffer ? (size_t)mine(p)->receive_buffer / 2 : INPUT;
}

static void on_readable(struct peer *p)
{
	ssize_t n = p->tls ? secure_recv(p->tls, input, read_size(p))
	                   : recv(p->fd, input, read_size(p), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		peer_end(p, n == 0 ? ENDED_EOF : ENDED_RESET);
		return;
	}
	for (uint8_t *buf = input; n > 0 && !p->gone;) {
		size_t used = p->in_head ? take_head(p, buf, (size_t)n)
		              : p->left  ? take_payload(p, buf, (size_t)n)
		                         : take_header(p, buf);
		buf += used;
		n -= (ssize_t)used;
	}
}

/* The loop */

static void init_tls(void)
{
	const char *folder = getenv("LEDGER_TLS");
	char certificate[256], key[256];

	if (!folder)
		return;
	is_secure = true;
	snprintf(certificate, sizeof(certificate), "%s/tls.pem", folder);
	snprintf(key, sizeof(key), "%s/tls.key", folder);
	secure_init(true);
	secure_serve(certificate, key);
}

void peers_init(const struct peer_owner *o)
{
	owner = o;
	init_tls();
	raise_descriptor_limit();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1: %s", strerror(errno));
}

void peers_listen(int listener)
{
	uint32_t watched = 0;

	watch(epoll, listener, &watched, EPOLLIN, NULL);
}

unsigned peers_count(void)
{
	return count;
}

struct peer *peers_first(void)
{
	return peers;
}

static void on_event(struct peer *p, uint32_t events)
{
	if (!p) {
		owner->on_listener();
		return;
	}
	if (p->gone)
		return;
	if (events & (EPOLLERR | EPOLLHUP))
		p->stalled = false;
	if (!p->stalled && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		on_readable(p);
	if (events & EPOLLOUT)
		p->blocked = false;
}

void peers_turn(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, TURN_MS);
	uint64_t now = now_ns();

	for (int i = 0; i < n; i++)
		on_event(events[i].data.ptr, events[i].events);
	for (struct peer *p = peers; p; p = p->next) {
		/* What TLS has read already no event will tell of. */
		if (!p->gone && !p->stalled && p->tls && secure_has_more(p->tls))
			on_readable(p);
		if (!p->gone && p->wake_ns && now >= p->wake_ns) {
			p->wake_ns = 0;
			owner->on_wake(p);
		}
		run(p);
	}
	free_gone();
}
