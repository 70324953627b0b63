/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/probe.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/handshake.h"
#include "net/stream.h"
#include "net/tls_error.h"
#include "net/tls_stream.h"
#include "net/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum {
	REQUEST_MAX = 1024 + HTTP_TARGET_MAX,
	HEAD_FIRST = 1024,
	INTERIM_MAX = 8,
};

static void try_next(struct probe *p, int error);
static void dial_again(struct probe *p);

/* Asks for nothing more than the upgrade, and offers nothing. */
static const struct http_head no_head;

/* ---- how it ends ---- */

void probe_end(struct probe *p)
{
	if (p->step == PROBE_IDLE)
		return;
	p->step = PROBE_IDLE;
	if (p->stream)
		stream_free(p->stream, false);
	p->stream = NULL;
	dial_end(&p->dial);
	mem_free(p->head);
	p->head = NULL;
	upstream_members_unref(p->members);
	p->members = NULL;
}

static void tell(struct probe *p, enum probe_verdict verdict, const char *reason)
{
	p->fn(p, verdict, reason);
}

static void fail(struct probe *p, const char *reason)
{
	probe_end(p);
	tell(p, PROBE_BAD, reason);
}

/* The words are the stream's. */
static void fail_tls(struct probe *p)
{
	char reason[TLS_WHY_MAX];
	snprintf(reason, sizeof reason, "%s", tls_failure(p->stream));
	fail(p, reason);
}

static void fail_errno(struct probe *p, int error)
{
	char words[LOG_ERRNO_MAX];
	log_errno_words(error, words);
	probe_end(p);
	tell(p, dial_is_own_lack(error) ? PROBE_UNKNOWN : PROBE_BAD, words);
}

static void succeed(struct probe *p)
{
	probe_end(p);
	tell(p, PROBE_GOOD, NULL);
}

/* An upgraded connection is closed as RFC 6455 wants it, and the server ends it. */
static void leave(struct probe *p)
{
	uint8_t frame[WS_CONTROL_FRAME_MAX];
	struct slice v = slice_of(frame, ws_close_write(frame, 1000, "", true));
	p->step = PROBE_LEAVING;
	mem_free(p->head);
	p->head = NULL;
	stream_send(p->stream, &v, 1);
	tell(p, PROBE_GOOD, NULL);
}

void probe_time_out(struct probe *p)
{
	static const char *const reasons[] = {
	        [PROBE_NAMING] = "its name was not found in time",
	        [PROBE_CONNECTING] = "it did not connect in time",
	        [PROBE_ASKING] = "it did not answer the handshake in time",
	        [PROBE_PINGING] = "it did not answer a ping in time",
	};
	enum probe_step step = (enum probe_step)p->step;
	if (step == PROBE_NAMING && !p->dial.resolving)
		step = PROBE_CONNECTING;
	if (p->stream)
		tls_doubt_session(p->stream);
	if (step == PROBE_LEAVING)
		probe_end(p);
	else if (step != PROBE_IDLE)
		fail(p, reasons[step]);
}

/* ---- the ping ---- */

static void send_ping(struct probe *p)
{
	uint8_t frame[WS_CONTROL_FRAME_MAX];
	random_bytes(p->ping, sizeof p->ping);
	struct slice v =
	        slice_of(frame, ws_control_write(frame, WS_PING, p->ping, sizeof p->ping, true));
	p->step = PROBE_PINGING;
	stream_send(p->stream, &v, 1);
}

static bool is_control(const struct ws_frame *f)
{
	return f->opcode >= WS_CLOSE;
}

/* A whole frame header, and of a control frame its payload. Returns false when that was
 * the end of the pinging. */
static bool on_frame(struct probe *p, const struct ws_frame *f, const uint8_t *payload)
{
	if (f->masked)
		fail(p, ws_error_reason(WS_ERR_MASK));
	else if (f->opcode == WS_CLOSE)
		fail(p, "it closed instead of answering a ping");
	else if (f->opcode == WS_PONG && f->len == sizeof p->ping &&
	         memcmp(payload, p->ping, sizeof p->ping) == 0)
		leave(p);
	else
		return true;
	return false;
}

/* Uses what can be used of frames; keeps the beginning of the next. */
static void read_frames(struct probe *p, const uint8_t *at, size_t len)
{
	struct ws_frame f = {.len = 0};
	while (len > 0) {
		size_t n = p->skip < len ? (size_t)p->skip : len;
		p->skip -= n;
		at += n;
		len -= n;
		ssize_t head = len > 0 ? ws_frame_parse(&f, at, len) : 0;
		if (head < 0) {
			fail(p, ws_error_reason((enum ws_error) - head));
			return;
		}
		if (head == 0 || (is_control(&f) && (size_t)head + f.len > len))
			break;
		if (!on_frame(p, &f, at + head))
			return;
		at += head;
		len -= (size_t)head;
		p->skip = f.len;
	}
	assert(len <= sizeof p->rest);
	if (len > 0)
		memcpy(p->rest, at, len);
	p->rest_len = (uint8_t)len;
}

/* ---- the handshake ---- */

static struct slice host_of(const struct probe *p)
{
	const struct upstream_server *s = p->dial.server;
	return s->address.len && s->address.sa.sa_family == AF_UNIX ? SLICE("localhost")
	                                                            : slice_str(s->name);
}

/* Version 1 has no way to say that nobody is told, which all servers take: it tells the
 * ends of this connection. */
static size_t write_preface(struct probe *p, struct stream *s, uint8_t out[PROXY_HEADER_WRITE_MAX])
{
	struct address local;
	struct address_brief from = {.family = AF_UNSPEC}, to = from;
	bool is_told =
	        p->group->proxy_protocol == PROXY_HEADER_V1 && stream_local_address(s, &local);
	if (is_told) {
		address_brief(&from, &local);
		address_brief(&to, dial_address(&p->dial));
	}
	return proxy_header_write(out, p->group->proxy_protocol, is_told ? &from : NULL, &to);
}

static void ask(struct probe *p)
{
	uint8_t preface[PROXY_HEADER_WRITE_MAX], buf[REQUEST_MAX];
	struct http_writer w;
	http_writer_init(&w, buf, sizeof buf);
	ws_key_make(p->key);
	upgrade_begin_request(&w, &no_head, slice_str(p->group->health_path), host_of(p));
	http_put_field(&w, SLICE("User-Agent"), SLICE("moongate-health"));
	upgrade_end_request(&w, p->key);
	assert(!w.overflow);
	/* With TLS it has gone before. */
	size_t preface_len = stream_is_tls(p->stream) ? 0 : write_preface(p, p->stream, preface);
	struct slice v[] = {slice_of(preface, preface_len), slice_of(buf, w.len)};
	stream_send(p->stream, v, 2);
}

static void send_preface(struct dial *d, struct stream *s)
{
	struct probe *p = list_entry(d, struct probe, dial);
	uint8_t preface[PROXY_HEADER_WRITE_MAX];
	struct slice v = slice_of(preface, write_preface(p, s, preface));
	stream_send(s, &v, 1);
}

/* `more` is what came behind the answer. */
static void on_upgraded(
        struct probe *p, const struct http_head *answer, const uint8_t *more, size_t len)
{
	const char *wrong = upgrade_check_answer(answer, p->key, &no_head);
	if (wrong) {
		fail(p, wrong);
	} else if (p->group->health == HEALTH_PING) {
		send_ping(p);
		read_frames(p, more, len);
		mem_free(p->head);
		p->head = NULL;
	} else {
		leave(p);
	}
}

static void refuse_status(struct probe *p, unsigned status)
{
	char reason[48];
	snprintf(reason, sizeof reason, "it answered the handshake with %u", status);
	fail(p, reason);
}

/* Looks at what of answers has come. */
static void read_head(struct probe *p)
{
	struct http_head answer;
	ssize_t n;
	while ((n = http_parse_response(&answer, &p->scan, p->head, p->head_len)) > 0) {
		if (answer.status == 101) {
			on_upgraded(p, &answer, p->head + n, p->head_len - (size_t)n);
			return;
		}
		if (answer.status >= 200 || ++p->interim > INTERIM_MAX) {
			refuse_status(p, answer.status);
			return;
		}
		p->scan = (struct http_scan){0};
		p->head_len -= (uint32_t)n;
		memmove(p->head, p->head + n, p->head_len);
	}
	if (n < 0)
		fail(p, http_error_reason((enum http_error) - n));
}

/* One read is at most WORKER_RX_SIZE, and an unfinished head at most HTTP_HEAD_MAX. */
static bool keep_head(struct probe *p, const uint8_t *buf, size_t len)
{
	size_t want = p->head_len + len;
	if (want > p->head_size || !p->head) {
		size_t size = want < HEAD_FIRST ? HEAD_FIRST : 2 * want;
		uint8_t *head = mem_try(size);
		if (!head)
			return false;
		if (p->head_len > 0)
			memcpy(head, p->head, p->head_len);
		mem_free(p->head);
		p->head = head;
		p->head_size = (uint32_t)size;
	}
	memcpy(p->head + p->head_len, buf, len);
	p->head_len = (uint32_t)want;
	return true;
}

/* ---- the stream ---- */

static void on_connect(struct stream *s)
{
	struct probe *p = s->owner;
	if (p->group->health == HEALTH_CONNECT)
		succeed(p);
	else
		p->step = PROBE_ASKING;
}

static void on_data(struct stream *s, uint8_t *buf, size_t len)
{
	struct probe *p = s->owner;
	switch ((enum probe_step)p->step) {
	case PROBE_ASKING:
		if (keep_head(p, buf, len))
			read_head(p);
		else
			fail_errno(p, ENOMEM);
		break;
	case PROBE_PINGING:
		/* There is room in front of what was received. */
		memcpy(buf - p->rest_len, p->rest, p->rest_len);
		read_frames(p, buf - p->rest_len, len + p->rest_len);
		break;
	default:
		break;
	}
}

static void on_end(struct stream *s, enum stream_end end, int error)
{
	struct probe *p = s->owner;
	if (p->step == PROBE_LEAVING) {
		probe_end(p);
	} else if (!p->has_dialled_again && tls_failed_resuming(s)) {
		dial_again(p);
	} else if (end == STREAM_EOF) {
		fail(p, p->step == PROBE_PINGING ? "it ended instead of answering a ping"
		                                 : "it ended before a whole answer");
	} else if (tls_failure(p->stream)) {
		fail_tls(p);
	} else if (p->step == PROBE_CONNECTING) {
		stream_free(p->stream, false);
		p->stream = NULL;
		try_next(p, error);
	} else {
		fail_errno(p, error);
	}
}

static void on_drain(struct stream *s)
{
	(void)s;
}

static const struct stream_events events = {
        .on_data = on_data,
        .on_end = on_end,
        .on_drain = on_drain,
        .on_connect = on_connect,
};

/* ---- the way there ---- */

static void on_dialled(struct dial *d, const char *error)
{
	struct probe *p = list_entry(d, struct probe, dial);
	if (error)
		fail(p, error);
	else
		try_next(p, 0);
}

/* `error`: of the address before. */
static void try_next(struct probe *p, int error)
{
	int now = 0;
	p->dial.in_clear = send_preface;
	p->stream = dial_next(&p->dial, &now);
	if (!p->stream && dial_is_waiting(&p->dial))
		return; /* as long as a probe may take */
	if (!p->stream) {
		fail_errno(p, error ? error : now);
		return;
	}
	p->stream->owner = p;
	p->stream->events = &events;
	p->step = PROBE_CONNECTING;
	if (p->group->health != HEALTH_CONNECT)
		ask(p);
	if (!stream_is_connecting(p->stream))
		on_connect(p->stream);
}

static void dial_server(struct probe *p, const struct upstream_server *server)
{
	switch (dial_start(&p->dial, p->worker, p->group, server, on_dialled)) {
	case DIAL_READY:
		try_next(p, 0);
		break;
	case DIAL_FAILED:
		fail_errno(p, ENOMEM);
		break;
	case DIAL_RESOLVING:
		break;
	}
}

/* The server failed when a TLS session was to go on, perhaps because of it: now without, as a
 * session of a client is opened then. */
static void dial_again(struct probe *p)
{
	const struct upstream_server *server = p->dial.server;
	p->has_dialled_again = true;
	p->step = PROBE_NAMING;
	stream_free(p->stream, false);
	p->stream = NULL;
	dial_end(&p->dial);
	dial_server(p, server);
}

void probe_start(struct probe *p, struct worker *w, struct upstream_group *g,
        struct upstream_members *m, unsigned index, probe_fn fn)
{
	assert(p->step == PROBE_IDLE);
	*p = (struct probe){.fn = fn, .worker = w, .group = g, .step = PROBE_NAMING};
	p->members = m;
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	dial_server(p, &m->server[index]);
}
