/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/sim.h"

#include "base/mem.h"
#include "net/worker.h"

#include <assert.h>
#include <string.h>

struct sim {
	struct stream stream;
	uint8_t *sent; /* taken by the far end */
	size_t sent_len, sent_room;
	size_t window;
	int send_error; /* for the next send; 0 = none */
	bool reset;     /* how it was released */
	unsigned settles;
};

static struct sim *sim_of(const struct stream *s)
{
	return list_entry((uintptr_t)s, struct sim, stream);
}

/* The far end takes what its window allows; returns how much. */
static size_t take(struct sim *m, const uint8_t *at, size_t len)
{
	if (len > m->window)
		len = m->window;
	if (m->window != SIZE_MAX)
		m->window -= len;
	if (len == 0)
		return 0;
	if (m->sent_room - m->sent_len < len) {
		m->sent_room = (m->sent_len + len) * 2;
		m->sent = mem_resize(m->sent, m->sent_room);
	}
	memcpy(m->sent + m->sent_len, at, len);
	m->sent_len += len;
	return len;
}

static bool sim_send(struct stream *s, const struct slice *v, size_t n)
{
	struct sim *m = sim_of(s);
	size_t done = 0;

	assert(n <= 64);
	if (s->flags & (STREAM_FAILED | STREAM_SHUTDOWN | STREAM_RELEASED))
		return false;
	if (m->send_error) {
		stream_fail(s, m->send_error);
		return false;
	}
	if (queue_is_empty(&s->out))
		for (size_t i = 0; i < n; i++)
			done += take(m, v[i].at, v[i].len);
	return stream_keep(s, v, n, done);
}

static void send_fin(struct stream *s)
{
	if (s->flags & STREAM_SHUTDOWN && queue_is_empty(&s->out))
		s->flags |= STREAM_FIN_SENT;
}

static void sim_shutdown(struct stream *s)
{
	s->flags |= STREAM_SHUTDOWN;
	send_fin(s);
}

static void flush(struct stream *s)
{
	struct sim *m = sim_of(s);
	uint32_t before = s->out.bytes;
	struct iovec v;

	if (m->send_error) {
		stream_fail(s, m->send_error);
		return;
	}
	while (m->window > 0 && queue_iov(&s->out, &v, 1) > 0)
		stream_sent(s, take(m, v.iov_base, v.iov_len));
	if (s->out.bytes == before)
		return;
	send_fin(s);
	stream_drained(s, before);
}

static void sim_wake(struct stream *s)
{
	if (!queue_is_empty(&s->out))
		flush(s);
	if (s->flags & STREAM_PEER_CLOSED && !(s->flags & (STREAM_PAUSED | STREAM_RELEASED)))
		stream_tell_eof(s);
	stream_tell_error(s);
}

static void sim_release(struct stream *s, bool reset)
{
	sim_of(s)->reset = reset;
}

static void sim_settle(struct stream *s, const struct socket_options *o)
{
	(void)o;
	sim_of(s)->settles++;
}

static const struct stream_ops ops = {
        .send = sim_send,
        .shutdown = sim_shutdown,
        .wake = sim_wake,
        .release = sim_release,
        .settle = sim_settle,
};

struct stream *sim_new(struct worker *w)
{
	struct sim *m = mem_new(sizeof(*m));
	stream_init(&m->stream, &ops, w);
	m->stream.flags |= STREAM_WRITABLE;
	m->window = SIZE_MAX;
	return &m->stream;
}

static bool is_deaf(const struct stream *s)
{
	return s->flags & (STREAM_PEER_CLOSED | STREAM_FAILED | STREAM_RELEASED);
}

bool sim_push(struct stream *s, const void *buf, size_t len)
{
	assert(len <= WORKER_RX_SIZE);
	if (is_deaf(s) || s->flags & STREAM_PAUSED)
		return false;
	if (len == 0)
		return true;
	memcpy(stream_open(s->worker->rx), buf, len);
	stream_deliver(s, len);
	return true;
}

void sim_push_eof(struct stream *s)
{
	if (is_deaf(s))
		return;
	s->flags |= STREAM_PEER_CLOSED;
	if (!(s->flags & STREAM_PAUSED))
		stream_tell_eof(s);
}

void sim_push_error(struct stream *s, int error)
{
	stream_fail(s, error);
	stream_tell_error(s);
}

void sim_fail_sends(struct stream *s, int error)
{
	sim_of(s)->send_error = error;
}

void sim_set_window(struct stream *s, size_t bytes)
{
	sim_of(s)->window = bytes;
	if (bytes > 0 && !queue_is_empty(&s->out))
		stream_make_ready(s);
}

struct slice sim_sent(const struct stream *s)
{
	const struct sim *m = sim_of(s);
	return slice_of(m->sent, m->sent_len);
}

void sim_take(struct stream *s, size_t bytes)
{
	struct sim *m = sim_of(s);
	assert(bytes <= m->sent_len);
	m->sent_len -= bytes;
	if (m->sent_len > 0)
		memmove(m->sent, m->sent + bytes, m->sent_len);
}

unsigned sim_settles(const struct stream *s)
{
	return sim_of(s)->settles;
}

bool sim_saw_shutdown(const struct stream *s)
{
	return s->flags & STREAM_FIN_SENT;
}

bool sim_is_released(const struct stream *s, bool *reset)
{
	if (reset)
		*reset = sim_of(s)->reset;
	return s->flags & STREAM_RELEASED;
}

void sim_free(struct stream *s)
{
	if (!s)
		return;
	struct sim *m = sim_of(s);
	assert(s->flags & STREAM_RELEASED);
	mem_free(m->sent);
	mem_free(m);
}
