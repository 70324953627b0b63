/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The access log: a record for each session at its end, and for each plain or refused
 * request; and, if wanted, one at the opening. What only it needs to know of a session is in
 * a struct of its own, which exists only while the access log is on. The data path then adds
 * up; nothing is written before the end. One worker's thread.
 *
 * `up` is what came from the client, `down` what came from the upstream; bytes are those of
 * whole frames. */

#include "base/pool.h"
#include "base/record.h"
#include "net/tls_stream.h"
#include "ws/reader.h"

struct http_head;
struct proxy_listener;
struct route;
struct session;

/* The keys of a record, in its order. */
#define ACCESS_FIELDS(X)          \
	X(time)                   \
	X(event)                  \
	X(id)                     \
	X(request)                \
	X(client)                 \
	X(peer)                   \
	X(listener)               \
	X(route)                  \
	X(upstream)               \
	X(server)                 \
	X(method)                 \
	X(host)                   \
	X(target)                 \
	X(origin)                 \
	X(tls_version)            \
	X(tls_cipher)             \
	X(tls_server_name)        \
	X(tls_client_subject)     \
	X(tls_client_issuer)      \
	X(tls_client_fingerprint) \
	X(status)                 \
	X(handshake_ms)           \
	X(connect_ms)             \
	X(duration_ms)            \
	X(text_up)                \
	X(text_bytes_up)          \
	X(binary_up)              \
	X(binary_bytes_up)        \
	X(ping_up)                \
	X(ping_bytes_up)          \
	X(pong_up)                \
	X(pong_bytes_up)          \
	X(bytes_up)               \
	X(text_down)              \
	X(text_bytes_down)        \
	X(binary_down)            \
	X(binary_bytes_down)      \
	X(ping_down)              \
	X(ping_bytes_down)        \
	X(pong_down)              \
	X(pong_bytes_down)        \
	X(bytes_down)             \
	X(pings)                  \
	X(rtt_ms)                 \
	X(queue_peak_up)          \
	X(queue_peak_down)        \
	X(pauses_up)              \
	X(pauses_down)            \
	X(client_code)            \
	X(client_reason)          \
	X(upstream_code)          \
	X(upstream_reason)        \
	X(code)                   \
	X(closed_by)              \
	X(cause)                  \
	X(reason)                 \
	X(error)                  \
	X(cut)

#define ACCESS_ENUM(name) ACCESS_##name,
enum access_field { ACCESS_FIELDS(ACCESS_ENUM) ACCESS_FIELD_N };
_Static_assert(ACCESS_FIELD_N < 64, "a bit for each field");

#define ACCESS_ALL ((UINT64_C(1) << ACCESS_FIELD_N) - 1)

/* What a record tells of each, at most; of the target all. */
enum { ACCESS_HOST_MAX = 300, ACCESS_ORIGIN_MAX = 512 };

struct access_settings {
	bool is_on;
	bool at_start;   /* a record at the opening too */
	uint32_t sample; /* so many sessions of a hundred; those that end badly always */
	enum record_format format;
	uint64_t fields; /* bit per enum access_field */
};

/* The field of that name; ACCESS_FIELD_N: none. */
enum access_field access_field_of(struct slice name);

/* What TLS has told; the stream that knows it is gone when the record is written. */
struct access_tls {
	struct tls_info info; /* its slices lie in `bytes` */
	uint8_t bytes[];
};

/* Bits of `kinds`, of what a side has sent so far. */
enum { ACCESS_TEXT = 1, ACCESS_BINARY = 2, ACCESS_BOTH = 3 };
/* Times of a handshake, a connect and a ping are told up to 4.6 hours. */
enum { ACCESS_MS_MAX = (1 << 24) - 1 };

/* What every session has, and so an idle one: 32 bytes and the request's own. Text and binary
 * messages are only counted apart once a side has sent both (in `more`): until then
 * one of the two is all that the session itself has counted. */
struct access_basics {
	uint32_t begun_ms; /* after the session's start: its request's head came; of one that was
	                      refused before it was whole, the first byte */
	uint32_t own_pings;
	uint64_t handshake_ms : 24; /* plus one, as the others; 0 = it did not come to that */
	uint64_t connect_ms : 24;
	uint64_t host_len : 9;
	uint64_t is_first : 1; /* of its connection: its time counts from the beginning of that */
	uint64_t is_get : 1;   /* the method, which is not among the bytes then */
	uint64_t is_text : 1;  /* an echo: the unfinished message is one of text */
	uint64_t rtt_ms : 24;
	uint64_t target_len : 14;
	uint64_t origin_len : 10;
	uint64_t method_len : 6;
	uint64_t kinds : 4;  /* two bits for each enum side_name */
	uint64_t closes : 4; /* bit 2 * side: it sent a close frame; the next: with a code */
};
struct access {
	struct access_more *more; /* what few have; NULL = none of it */
	struct access_basics basics;
	uint8_t bytes[]; /* method, host, target and origin, as far as they are wanted */
};
_Static_assert(sizeof(struct access) == 32, "an idle session has little");

/* What is counted once it happens. Indices: enum side_name. */
struct access_counts {
	uint64_t text_bytes[2]; /* of a side that has sent both kinds */
	uint32_t texts[2];
	uint32_t pings[2], pongs[2];
	uint32_t ping_bytes[2], pong_bytes[2];
	uint32_t queue_peak[2]; /* of what waited for the side */
	uint16_t pauses[2];
};
struct access_more {
	struct access_counts counts;
	struct access_words *words; /* NULL = none */
	struct access_tls *tls;     /* NULL = the connection has none */
};

/* What is told late, and by few. */
enum { ACCESS_REASON_MAX = 128, ACCESS_SERVER_MAX = 300 };
struct access_words {
	char reason[ACCESS_REASON_MAX]; /* why the request was refused; empty = it was not */
	char server[ACCESS_SERVER_MAX]; /* the last one, which was left; empty = none */
	uint8_t close_len[2];
	uint8_t close[2][WS_CONTROL_MAX]; /* the reasons of close frames, by who sent them */
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
/* It will end soon: fetches what its record needs. */
void access_expect_end(const struct session *s);
/* The session has ended, its log line was written: its record. */
void access_end(struct session *s);
/* The client answered an own ping. */
void access_own_pong(struct session *s);

/* A control frame of that side. */
void access_control(struct session *s, unsigned side, const struct ws_run *run);

/* Data frames of that side, which the session has counted already. */
struct access_count {
	uint32_t messages, texts; /* texts: of the messages */
	size_t bytes, text_bytes;
};
/* `before`: the kinds that the side had sent. */
void access_mix(struct session *s, unsigned side, unsigned before, const struct access_count *n);

static inline void access_data(
        struct session *s, struct access *a, unsigned side, const struct access_count *n)
{
	unsigned kind = (n->text_bytes > 0 ? ACCESS_TEXT : 0U) |
	                (n->bytes > n->text_bytes ? ACCESS_BINARY : 0U);
	unsigned before = (unsigned)a->basics.kinds, kinds = before | kind << 2 * side;
	if (kinds != before)
		a->basics.kinds = kinds & 0xf;
	if ((kinds >> 2 * side & ACCESS_BOTH) == ACCESS_BOTH)
		access_mix(s, side, before >> 2 * side & ACCESS_BOTH, n);
}

/* The same of an echo, by the piece. */
void access_piece(struct session *s, const struct ws_piece *piece);

/* So much waits for the side. */
void access_queued(struct session *s, unsigned side, uint32_t bytes);
/* The side is not read. */
void access_paused(struct session *s, unsigned side);

static inline void access_pinged(struct access *a)
{
	a->basics.own_pings++;
}

/* The names of where a session was, which many have in common: kept as its entry has them. Of
 * another configuration nothing is kept: no part of it is taken for one of before that lay in the
 * same place. */
enum { ACCESS_WHERES = 16, ACCESS_WHERE_MAX = 192 };
struct access_where {
	const struct proxy_listener *listener; /* NULL = nothing is kept */
	const struct route *route;
	uint64_t server; /* its serial */
	uint16_t len[4]; /* of each name */
	uint16_t bytes_len;
	uint8_t bytes[ACCESS_WHERE_MAX];
};

/* Of one worker: the memory of the records-to-be, most in slabs of their size, so that nothing but
 * that is taken; the time of day, which is asked for once in a millisecond; names. */
enum { ACCESS_POOLED_MAX = 256, ACCESS_POOLS = (ACCESS_POOLED_MAX - 32) / 8 + 1 };
struct access_store {
	struct pool pool[ACCESS_POOLS];
	uint64_t turn_ms, wall_ms; /* session_clock(), and what it was then; 0 = never */
	struct access_where where[ACCESS_WHERES]; /* by the server's serial */
};
struct access_store *access_store_new(void);
void access_store_free(struct access_store *st);
/* There is another configuration. */
void access_store_renew(struct access_store *st);
