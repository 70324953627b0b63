/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The access log: a record for each session at its end, and for each plain or refused
 * request; and, if wanted, one at the opening. What only it needs to know of a session is in
 * a struct of its own, which exists only while the access log is on. The data path then adds
 * up; nothing is written before the end. One worker's thread.
 *
 * `up` is what came from the client, `down` what came from the upstream; bytes are those of
 * whole frames. */

#include "base/record.h"
#include "ws/reader.h"

struct http_head;
struct session;

/* The keys of a record, in its order. */
#define ACCESS_FIELDS(X)      \
	X(time)               \
	X(event)              \
	X(id)                 \
	X(request)            \
	X(client)             \
	X(peer)               \
	X(listener)           \
	X(route)              \
	X(upstream)           \
	X(server)             \
	X(method)             \
	X(host)               \
	X(target)             \
	X(origin)             \
	X(tls_version)        \
	X(tls_cipher)         \
	X(tls_server_name)    \
	X(tls_client_subject) \
	X(tls_client_issuer)  \
	X(tls_client_digest)  \
	X(status)             \
	X(handshake_ms)       \
	X(connect_ms)         \
	X(duration_ms)        \
	X(text_up)            \
	X(text_bytes_up)      \
	X(binary_up)          \
	X(binary_bytes_up)    \
	X(ping_up)            \
	X(ping_bytes_up)      \
	X(pong_up)            \
	X(pong_bytes_up)      \
	X(bytes_up)           \
	X(text_down)          \
	X(text_bytes_down)    \
	X(binary_down)        \
	X(binary_bytes_down)  \
	X(ping_down)          \
	X(ping_bytes_down)    \
	X(pong_down)          \
	X(pong_bytes_down)    \
	X(bytes_down)         \
	X(pings)              \
	X(rtt_ms)             \
	X(queue_peak_up)      \
	X(queue_peak_down)    \
	X(pauses_up)          \
	X(pauses_down)        \
	X(client_code)        \
	X(client_reason)      \
	X(upstream_code)      \
	X(upstream_reason)    \
	X(code)               \
	X(closed_by)          \
	X(cause)              \
	X(reason)             \
	X(error)              \
	X(cut)

#define ACCESS_ENUM(name) ACCESS_##name,
enum access_field { ACCESS_FIELDS(ACCESS_ENUM) ACCESS_FIELD_N };
_Static_assert(ACCESS_FIELD_N < 64, "a bit for each field");

#define ACCESS_ALL ((UINT64_C(1) << ACCESS_FIELD_N) - 1)

enum {
	ACCESS_RECORD_MAX = 64 * 1024,
	/* What a record tells of each, at most; of the target all. */
	ACCESS_HOST_MAX = 300,
	ACCESS_ORIGIN_MAX = 512,
};

struct access_settings {
	bool is_on;
	bool at_start;   /* a record at the opening too */
	uint32_t sample; /* so many sessions of a hundred; those that end badly always */
	enum record_format format;
	uint64_t fields; /* bit per enum access_field */
};

/* The field of that name; ACCESS_FIELD_N: none. */
enum access_field access_field_of(struct slice name);

/* What is told late, and by few. */
struct access_words;
/* What TLS has told; the stream that knows it is gone when the record is written. */
struct access_tls;

struct access {
	/* By enum side_name: that sent them. */
	uint64_t text_bytes[2];
	uint32_t texts[2], pings[2], pongs[2];
	uint32_t ping_bytes[2], pong_bytes[2];
	uint32_t queue_peak[2];            /* of what waited for the side */
	struct access_words *words;        /* NULL = none */
	struct access_tls *tls;            /* NULL = the connection has none */
	uint32_t begun_ms;                 /* after the session's start: its request's head came */
	uint32_t handshake_ms, connect_ms; /* plus one; 0 = it did not come to that */
	uint32_t own_pings, rtt_ms;        /* rtt_ms: plus one */
	uint16_t pauses[2];
	uint16_t target_len, host_len, origin_len;
	uint8_t method_len;
	uint8_t close_bytes[2];
	bool is_text;    /* an echo: the unfinished message is one of text */
	bool is_first;   /* of its connection: its time counts from the beginning of that */
	uint8_t bytes[]; /* method, host, target and origin, as far as they are wanted */
};

void access_free(struct session *s);

/* A whole head came. Without memory the record will be short of it. */
void access_begin(struct session *s, const struct http_head *head);
/* The request is refused, for this reason. */
void access_refused(struct session *s, const char *reason);
/* Its answer goes out now. */
void access_answered(struct session *s);
/* A plain request was answered, and its connection goes on: its record. */
void access_request_end(struct session *s);
/* A server was picked; the connection to it stands; it is left. */
void access_picked(struct session *s);
void access_connected(struct session *s);
void access_left_server(struct session *s);
/* The tunnel is open. */
void access_opened(struct session *s);
/* The session has ended, its log line was written: its record. */
void access_end(struct session *s);
/* The client answered an own ping. */
void access_own_pong(struct session *s);

/* A control frame of that side. */
void access_control(struct access *a, unsigned side, const struct ws_run *run);

static inline void access_data(struct access *a, unsigned side, uint32_t texts, size_t text_bytes)
{
	a->texts[side] += texts;
	a->text_bytes[side] += text_bytes;
}

/* The same of an echo, by the piece. */
static inline void access_piece(struct access *a, const struct ws_piece *piece)
{
	if (piece->starts && piece->opcode != WS_CONTINUATION)
		a->is_text = piece->opcode == WS_TEXT;
	if (!a->is_text)
		return;
	a->texts[0] += piece->ends && piece->fin;
	a->text_bytes[0] += piece->header_len + piece->len;
}

static inline void access_queued(struct access *a, unsigned side, uint32_t bytes)
{
	if (a->queue_peak[side] < bytes)
		a->queue_peak[side] = bytes;
}

static inline void access_paused(struct access *a, unsigned side)
{
	if (a->pauses[side] < UINT16_MAX)
		a->pauses[side]++;
}

static inline void access_pinged(struct access *a)
{
	a->own_pings++;
}
