/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A stream of bytes to and from one peer. Plain sockets and simulated streams
 * implement it, and on any of them TLS may be put (tls_stream.h); nothing above knows a
 * descriptor. Belongs to one worker and its thread.
 *
 * Bytes are pushed in: on_data gets what one receive brought, in the worker's
 * receive buffer, to be read and changed in place; at most WORKER_RX_HEADROOM bytes before it
 * are free for the owner to put what it kept from last time. The
 * bytes are gone when on_data returns. They may be fewer than one receive brought, or more, if TLS
 * is in between, but not more than WORKER_RX_SIZE.
 *
 * Descriptors are watched edge-triggered, for both directions, once: pausing,
 * resuming and waiting to write cost no system call.
 *
 * No function here calls the owner back before it returns: an error that a send
 * meets is told by on_end later in the turn. After stream_abort() or
 * stream_free() no callback comes. */

#include "base/budget.h"
#include "base/chunk.h"
#include "base/list.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct address;
struct socket_options;
struct stream;
struct tls;
struct worker;

enum stream_end {
	STREAM_EOF,   /* the peer will send no more; sending to it may still work. All it sent was
	                 delivered */
	STREAM_ERROR, /* reset, timed out, unreachable, out of memory: error tells. Nothing more can
	                 be sent. What the peer sent before a reset and the kernel still had was
	                 delivered, unless paused */
};

struct stream_events {
	void (*on_data)(struct stream *s, uint8_t *buf, size_t len);
	/* Once for each of EOF and ERROR; nothing follows an ERROR. */
	void (*on_end)(struct stream *s, enum stream_end end, int error);
	/* The output queue, having been at or over the high mark, fell under the low
	 * mark (not while memory is short); or, having held anything, became empty. */
	void (*on_drain)(struct stream *s);
	/* A stream that was connecting, or securing, is no longer. May be NULL. */
	void (*on_connect)(struct stream *s);
	/* So that what on_data will look at is in the processor's cache when it does; each may be
	 * NULL. `next`: another stream is served first, time to fetch what lies around the
	 * owner, but not to look at it. Not `next`: the receive is all that comes before. */
	void (*on_soon)(struct stream *s, bool next);
};

struct stream_ops {
	bool (*send)(struct stream *s, const struct slice *v, size_t n);
	void (*shutdown)(struct stream *s);
	bool (*send_last)(struct stream *s, const struct slice *v, size_t n); /* NULL: one, then
	                                                                         the other */
	void (*wake)(struct stream *s); /* serve it: it is on the worker's ready list */
	void (*release)(struct stream *s, bool reset);
	bool (*is_delivered)(struct stream *s);               /* NULL: always */
	bool (*is_quiet)(struct stream *s);                   /* NULL: always */
	bool (*local)(struct stream *s, struct address *out); /* NULL: nothing known */
	bool (*option)(
	        struct stream *s, int level, int name, int *value, bool set); /* NULL: has none */
	void (*settle)(struct stream *s, const struct socket_options *o); /* NULL: nothing to do */
	bool is_tls; /* they are at the front of the stream's struct tls */
};

enum {
	STREAM_PAUSED = 1 << 0,
	STREAM_READABLE = 1 << 1, /* an edge has announced bytes that were not read yet */
	STREAM_WRITABLE = 1 << 2, /* the last send was not cut short */
	STREAM_CONNECTING = 1 << 3,
	STREAM_EOF_SEEN = 1 << 4, /* on_end(EOF) was called */
	STREAM_FAILED = 1 << 5,   /* an error is known; on_end(ERROR) is due or was called */
	STREAM_ERROR_TOLD = 1 << 6,
	STREAM_SHUTDOWN = 1 << 7, /* no more will be sent; FIN after the queue */
	STREAM_FIN_SENT = 1 << 8,
	STREAM_RELEASED = 1 << 9,
	STREAM_ABOVE_HIGH = 1 << 10,
	STREAM_PEER_CLOSED = 1 << 11, /* the kernel has announced the peer's FIN or worse */
	STREAM_READY = 1 << 12,       /* on worker->ready */
	STREAM_DOUBTFUL = 1 << 13,    /* a reset may have come with the last bytes (plain.c) */
	STREAM_TAKEN = 1 << 14,       /* still CONNECTING, but bytes were taken: it is connected */
	STREAM_SECURING = 1 << 15,    /* TLS: the handshake is not finished; what is sent waits for
	                                 its end */
};

/* Of memory, promised to each stream for its queue (base/budget.h), so that whoever is
 * served can be served on. While memory is short receives are limited to that. */
enum { STREAM_CHUNKS = 2, STREAM_SHORT_READ = 8000 };

struct stream {
	uint32_t high_mark, low_mark; /* bytes of `out` */
	struct queue out;
	/* From the queue's length on all that a message touches. */
	uint32_t progress_s; /* second of the worker's clock when the queue last shrank or began */
	uint16_t flags;
	union {
		uint16_t error;   /* errno, once FAILED */
		uint16_t doubt_s; /* before: second in which it became DOUBTFUL */
	};
	struct list ready; /* on worker->ready, or on the list of doubtful ones */
	const struct stream_ops *ops;
	const struct stream_events *events;
	void *owner;
	struct worker *worker;
};

/* Sends the bytes, at once as far as they go; what is left over is copied to
 * the queue. n <= 64. False when the stream had failed or fails now (its end is
 * told later); the caller need not look. */
static inline bool stream_send(struct stream *s, const struct slice *v, size_t n)
{
	return s->ops->send(s, v, n);
}
/* Stops and starts on_data. A paused stream still tells an error; an EOF is told
 * after the bytes before it were delivered, so not while paused. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
static inline bool stream_is_paused(const struct stream *s)
{
	return s->flags & STREAM_PAUSED;
}
static inline bool stream_is_tls(const struct stream *s)
{
	return s->ops->is_tls;
}
/* Neither connected nor, with TLS, secured yet. */
static inline bool stream_is_connecting(const struct stream *s)
{
	return s->flags & (STREAM_CONNECTING | STREAM_SECURING);
}
/* No more will be sent: the peer sees the end after what is queued. */
static inline void stream_shutdown(struct stream *s)
{
	s->ops->shutdown(s);
}
/* The last that is sent: as stream_send() and then stream_shutdown(), but the end leaves in the
 * same segment, so that the peer is woken once. */
static inline bool stream_send_last(struct stream *s, const struct slice *v, size_t n)
{
	if (s->ops->send_last)
		return s->ops->send_last(s, v, n);
	bool sent = stream_send(s, v, n);
	stream_shutdown(s);
	return sent;
}
/* Gives the stream up, now: what is queued is lost; freed at the end of the turn.
 * `reset`: the peer sees a reset, not an end. The caller forgets the pointer. */
void stream_free(struct stream *s, bool reset);
/* All that was sent lies with the peer: a reset takes nothing of it away. Its kernel tells
 * nobody when that becomes so. */
static inline bool stream_is_delivered(struct stream *s)
{
	return queue_is_empty(&s->out) && (!s->ops->is_delivered || s->ops->is_delivered(s));
}
/* The end of the peer, or worse, is known, though on_end may not have told it yet. */
static inline bool stream_peer_closed(const struct stream *s)
{
	return s->flags & (STREAM_PEER_CLOSED | STREAM_EOF_SEEN | STREAM_FAILED);
}
/* Neither bytes nor the end of the peer wait to be read, not even some that no event has
 * told of yet. For a connection that is to be used, or kept, while nothing is due on it. */
static inline bool stream_is_quiet(struct stream *s)
{
	return !stream_peer_closed(s) && (!s->ops->is_quiet || s->ops->is_quiet(s));
}
/* The errno of its failure; 0 = it has not failed. */
static inline int stream_error(const struct stream *s)
{
	return s->flags & STREAM_FAILED ? s->error : 0;
}
/* While memory is short a queue holds no more than what one read brings. */
static inline bool stream_is_over(const struct stream *s)
{
	return s->out.bytes >= s->high_mark || (budget_is_short() && s->out.bytes > 0);
}
void stream_set_marks(struct stream *s, uint32_t high, uint32_t low);
/* To be sent to soon: into the processor's cache with what that looks at. */
static inline void stream_fetch(const struct stream *s)
{
	__builtin_prefetch(&s->out.bytes);
	__builtin_prefetch(s + 1);
	__builtin_prefetch((const char *)(s + 1) + 64); /* the descriptor */
}

/* The connection has lasted a while and is to last: from now on its peer is looked after, by
 * what o says of keepalive and unanswered bytes. Of one that was made here; an accepted one
 * is looked after from the beginning. */
static inline void stream_settle(struct stream *s, const struct socket_options *o)
{
	if (s->ops->settle)
		s->ops->settle(s, o);
}

/* The address of the own end; false when there is none. */
static inline bool stream_local_address(struct stream *s, struct address *out)
{
	return s->ops->local && s->ops->local(s, out);
}

/* An option of the socket: sets it to *value, or reads it. False when it has none or the kernel
 * does not want to. */
static inline bool stream_option(struct stream *s, int level, int name, int *value, bool set)
{
	return s->ops->option && s->ops->option(s, level, name, value, set);
}

/* For implementations. */
void stream_init(struct stream *s, const struct stream_ops *ops, struct worker *w);
void stream_make_ready(struct stream *s);
void stream_fail(struct stream *s, int error);
/* Hand to the owner, or to TLS: the bytes at the front of worker->rx; the peer's end; the
 * failure, once. The owner may have freed the stream when they return. */
void stream_deliver(struct stream *s, size_t len);
void stream_tell_eof(struct stream *s);
void stream_tell_connected(struct stream *s);
void stream_tell_error(struct stream *s);
/* Adds what a send left over of v, behind its first `skip` bytes, to the queue. False
 * when memory is short, and then the stream has failed. */
bool stream_keep(struct stream *s, const struct slice *v, size_t n, size_t skip);
/* Drops n bytes, which were sent, from the queue. */
void stream_sent(struct stream *s, size_t n);
/* Tells the owner that the queue, which held bytes_before, has drained, if it has. */
void stream_drained(struct stream *s, uint32_t bytes_before);
/* Of WORKER_RX_SIZE bytes: to be written to; and the front of them to the owner
 * (AddressSanitizer sees reads behind that). */
uint8_t *stream_open(uint8_t *buf);
void stream_give(struct stream *s, uint8_t *buf, size_t len);
