/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A stream that speaks HTTP exchanges and then WebSocket, in one role: what the
 * client and the upstream of a session both are. It cuts the bytes into heads,
 * bodies and frames and keeps what is unfinished; what they mean is its owner's.
 * One worker's thread.
 *
 *     PREFACE --on_preface--> HEAD        only after endpoint_expect_preface()
 *     HEAD --on_head--> BODY --end of body--> HEAD
 *       |                 |
 *       +--endpoint_upgrade()--> FRAMES        endpoint_discard() from anywhere
 *       +--endpoint_hold()--> HELD             kept, until its owner knows what they are
 *       +--endpoint_raw()--> RAW               its owner's, as they came; endpoint_await()
 *                                              leads back to HEAD
 *
 * The owner is told everything while the endpoint is in the middle of its
 * bytes, and may close it there; the endpoint's memory must last to the end of the
 * worker's turn. */

#include "http/body.h"
#include "http/head.h"
#include "net/stream.h"
#include "ws/reader.h"

struct endpoint;
struct worker;

enum endpoint_role { ENDPOINT_CLIENT, ENDPOINT_UPSTREAM }; /* what the peer is */

enum endpoint_phase {
	ENDPOINT_PREFACE,
	ENDPOINT_HEAD,
	ENDPOINT_BODY,
	ENDPOINT_FRAMES,
	ENDPOINT_HELD,
	ENDPOINT_RAW,
	ENDPOINT_DISCARD
};

struct endpoint_events {
	/* Bytes in front of the first head. Returns how many they were, and a head is
	 * read behind them; or 0: they come again with the next bytes behind them. */
	size_t (*on_preface)(struct endpoint *ep, const uint8_t *buf, size_t len);
	/* A whole head of the peer. It is the worker's scratch: gone when this returns. */
	void (*on_head)(struct endpoint *ep, struct http_head *head);
	/* What came is no head or no body; nothing more is read as such. */
	void (*on_broken)(struct endpoint *ep, enum http_error error);
	/* Content of a body that endpoint_read_body() asked for; end: it is complete. */
	void (*on_body)(struct endpoint *ep, struct slice content, bool end);
	/* Bytes of frames. Returns how many were used; what is left, less than a
	 * control frame, comes again with the next bytes behind it. */
	size_t (*on_frames)(struct endpoint *ep, uint8_t *buf, size_t len);
	/* Bytes as they came (RAW). Returns how many were used: all, unless another phase
	 * was begun. May be NULL. */
	size_t (*on_raw)(struct endpoint *ep, uint8_t *buf, size_t len);
	/* The first byte of a head has come. */
	void (*on_first_byte)(struct endpoint *ep);
	void (*on_end)(struct endpoint *ep, enum stream_end end, int error);
	void (*on_drain)(struct endpoint *ep);
	/* The stream, which was connecting, is connected. May be NULL. */
	void (*on_connect)(struct endpoint *ep);
	/* Bytes will come in a moment: stream.h. May be NULL. */
	void (*on_soon)(struct endpoint *ep, bool next);
	/* There was no memory for what is unfinished; nothing more is read. */
	void (*on_no_memory)(struct endpoint *ep);
};

struct endpoint {
	struct stream *stream;      /* owned; NULL when there is none (any more) */
	struct endpoint_rest *rest; /* unfinished bytes, or NULL */
	union {
		struct ws_reader in; /* FRAMES */
		struct {
			struct http_scan scan; /* HEAD */
			struct http_body body; /* BODY */
			bool begun;            /* on_first_byte was told */
			bool wanted;           /* the body's content is the owner's, not skipped */
		} http;
	};
	uint8_t role, phase;
	bool is_reading; /* its bytes are being read: what is left is looked at by itself */
	bool is_unread;  /* `rest` is to be read again */
};

/* What the endpoints of one worker share; made by endpoint_worker_new() into
 * worker->layer[WORKER_ENDPOINT]. */
struct endpoint_worker {
	const struct endpoint_events *events; /* of every endpoint's owner */
	struct http_head head;
	struct ws_run run;
};
bool endpoint_worker_new(struct worker *w, const struct endpoint_events *events);
void endpoint_worker_free(struct worker *w);

/* Takes the stream over; begins to read a head. */
void endpoint_init(struct endpoint *ep, enum endpoint_role role);
void endpoint_attach(struct endpoint *ep, struct stream *s);
/* Before anything has come: something stands in front of the first head. */
void endpoint_expect_preface(struct endpoint *ep);
/* Frees the stream and what was kept; no callback follows. Harmless twice. */
void endpoint_close(struct endpoint *ep, bool reset);

/* Inside on_head: the body is skipped, or handed to on_body. */
void endpoint_read_body(struct endpoint *ep, const struct http_head *head, bool wanted);
/* From here on the peer's bytes are frames. */
void endpoint_upgrade(struct endpoint *ep, unsigned reader_flags);
/* From here on the peer's bytes are thrown away; only its end matters. */
void endpoint_discard(struct endpoint *ep);

/* From here on what comes is kept, up to ENDPOINT_HELD_MAX, then the stream pauses. The
 * next phase begins where the holding did; outside of a callback endpoint_go_on() follows. */
enum { ENDPOINT_HELD_MAX = 16 * 1024 };
void endpoint_hold(struct endpoint *ep);
/* From here on the bytes are given to on_raw. */
void endpoint_raw(struct endpoint *ep);
/* Whether what comes next on a stream, of whomever, is for on_raw. */
bool endpoint_is_raw(const struct stream *s);
/* From here on a head is awaited. */
void endpoint_await(struct endpoint *ep);
/* In front of all that is still to be read stand these bytes, which on_raw had used. False
 * when memory is short. */
bool endpoint_unread(struct endpoint *ep, struct slice bytes);
/* Reads what was kept, by the phase that was begun; the stream goes on. */
void endpoint_go_on(struct endpoint *ep);

static inline bool endpoint_has_rest(const struct endpoint *ep)
{
	return ep->rest != NULL;
}
/* Sends a queue's bytes, which stay in the queue. */
bool endpoint_send_queue(struct endpoint *ep, const struct queue *q);
