/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/stream.h"

#include "net/tls_stream.h"
#include "net/worker.h"

#include <assert.h>
#include <errno.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

/* What is left of the promise beside what the queue holds. */
static int64_t promise_left(const struct stream *s)
{
	enum { ROOM = sizeof(((struct chunk *)0)->bytes) };
	uint32_t held = (s->out.bytes + ROOM - 1) / ROOM;
	return held < STREAM_CHUNKS ? (int64_t)(STREAM_CHUNKS - held) * CHUNK_SIZE : 0;
}

/* After a change of the queue. */
static void settle_promise(const struct stream *s, int64_t before)
{
	int64_t after = promise_left(s);
	if (after != before)
		budget_promise(after - before);
}

static void clear_queue(struct stream *s)
{
	int64_t promise = promise_left(s);
	queue_clear(&s->out, &s->worker->chunks);
	settle_promise(s, promise);
}

void stream_init(struct stream *s, const struct stream_ops *ops, struct worker *w)
{
	*s = (struct stream){.ops = ops, .worker = w, .high_mark = UINT32_MAX};
	list_init(&s->ready);
	budget_promise(promise_left(s));
}

void stream_make_ready(struct stream *s)
{
	if (s->flags & (STREAM_READY | STREAM_RELEASED))
		return;
	list_remove(&s->ready);
	list_append(&s->worker->ready, &s->ready);
	s->flags |= STREAM_READY;
}

void stream_pause(struct stream *s)
{
	s->flags |= STREAM_PAUSED;
}

void stream_resume(struct stream *s)
{
	if (!(s->flags & STREAM_PAUSED))
		return;
	s->flags &= (uint16_t)~STREAM_PAUSED;
	if (s->flags & (STREAM_READABLE | STREAM_PEER_CLOSED | STREAM_DOUBTFUL))
		stream_make_ready(s);
}

void stream_set_marks(struct stream *s, uint32_t high, uint32_t low)
{
	s->high_mark = high;
	s->low_mark = low;
	if (stream_is_over(s))
		s->flags |= STREAM_ABOVE_HIGH;
}

void stream_free(struct stream *s, bool reset)
{
	if (!s)
		return;
	assert(!(s->flags & STREAM_RELEASED));
	if (stream_is_tls(s) && !reset)
		tls_part(s);
	s->flags |= STREAM_RELEASED;
	list_remove(&s->ready);
	clear_queue(s);
	budget_promise(-promise_left(s));
	s->ops->release(s, reset);
}

void stream_fail(struct stream *s, int error)
{
	if (s->flags & (STREAM_FAILED | STREAM_RELEASED))
		return;
	s->flags |= STREAM_FAILED;
	s->error = (uint16_t)error;
	clear_queue(s);
	stream_make_ready(s);
}

uint8_t *stream_open(uint8_t *buf)
{
	ASAN_UNPOISON_MEMORY_REGION(buf, WORKER_RX_SIZE);
	return buf;
}

void stream_give(struct stream *s, uint8_t *buf, size_t len)
{
	ASAN_POISON_MEMORY_REGION(buf + len, WORKER_RX_SIZE - len);
	s->events->on_data(s, buf, len);
}

void stream_deliver(struct stream *s, size_t len)
{
	if (stream_is_tls(s))
		tls_received(s, len);
	else
		stream_give(s, s->worker->rx, len);
}

void stream_tell_eof(struct stream *s)
{
	if (s->flags & (STREAM_EOF_SEEN | STREAM_ERROR_TOLD | STREAM_RELEASED))
		return;
	if (stream_is_tls(s) && !tls_may_end(s))
		return;
	s->flags |= STREAM_EOF_SEEN | STREAM_PEER_CLOSED;
	s->events->on_end(s, STREAM_EOF, 0);
}

/* With TLS the handshake is still to come. */
void stream_tell_connected(struct stream *s)
{
	if (!(s->flags & (STREAM_SECURING | STREAM_RELEASED)) && s->events->on_connect)
		s->events->on_connect(s);
}

void stream_tell_error(struct stream *s)
{
	if (!(s->flags & STREAM_FAILED) || s->flags & (STREAM_ERROR_TOLD | STREAM_RELEASED))
		return;
	s->flags |= STREAM_ERROR_TOLD;
	s->events->on_end(s, STREAM_ERROR, s->error);
}

static uint32_t now_s(const struct stream *s)
{
	return (uint32_t)(s->worker->now_ms / 1000);
}

bool stream_keep(struct stream *s, const struct slice *v, size_t n, size_t skip)
{
	struct pool *pool = &s->worker->chunks;
	bool begins = queue_is_empty(&s->out);
	int64_t promise = promise_left(s);

	while (n > 0 && skip >= v->len) {
		skip -= v->len;
		v++, n--;
	}
	if (n == 0)
		return true;
	struct slice first = slice_of(v->at + skip, v->len - skip);
	bool is_kept =
	        queue_append(&s->out, pool, &first, 1) && queue_append(&s->out, pool, v + 1, n - 1);
	settle_promise(s, promise);
	if (!is_kept) {
		stream_fail(s, ENOMEM);
		return false;
	}
	if (begins)
		s->progress_s = now_s(s);
	if (stream_is_over(s))
		s->flags |= STREAM_ABOVE_HIGH;
	return true;
}

void stream_sent(struct stream *s, size_t n)
{
	int64_t promise = promise_left(s);
	queue_drop(&s->out, &s->worker->chunks, n);
	settle_promise(s, promise);
	s->progress_s = now_s(s);
}

void stream_drained(struct stream *s, uint32_t bytes_before)
{
	bool is_empty = queue_is_empty(&s->out) && bytes_before > 0;
	bool is_low =
	        s->flags & STREAM_ABOVE_HIGH && s->out.bytes < s->low_mark && !budget_is_short();

	if (s->flags & (STREAM_FAILED | STREAM_RELEASED) || !(is_empty || is_low))
		return;
	s->flags &= (uint16_t)~STREAM_ABOVE_HIGH;
	s->events->on_drain(s);
}
