/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_stream.h"

#include "base/mem.h"
#include "net/tls_handover.h"
#include "net/tls_private.h"
#include "net/tls_server.h"
#include "net/tls_traffic.h"
#include "net/worker.h"

#include <errno.h>

/* What was received is decrypted until nothing is left, and what is to be written is gathered and
 * sent when the call is over: by OpenSSL (tls_openssl.c) in the handshake, afterwards mostly by
 * ourselves (tls_traffic.c).
 *
 * The owner's callbacks run while no call of either is under way, and may free the stream. */

static bool is_gone(const struct stream *s)
{
	return s->flags & STREAM_RELEASED;
}

static void set_flag(struct tls *t, unsigned flag, bool is_set)
{
	t->flags = (uint16_t)(is_set ? t->flags | flag : t->flags & ~flag);
}

static bool is_secured(const struct tls *t)
{
	return !(t->stream->flags & STREAM_SECURING) && !(t->flags & TLS_DEAD);
}

/* ---- failing ---- */

void tls_fail(struct tls *t, const char *why)
{
	if (t->flags & TLS_DEAD)
		return;
	if (!t->why)
		t->why = mem_strdup(why);
	t->flags |= TLS_DEAD;
	counter_inc(&t->stream->worker->counters.tls_errors);
	tls_wire_flush(t);
	queue_clear(&t->kept, &t->stream->worker->chunks);
	queue_clear(&t->early, &t->stream->worker->chunks);
	stream_fail(t->stream, EPROTO);
}

/* ---- sending ---- */

/* The buffer is the worker's: whatever happens, nothing stays in it. */
static bool protect(struct tls *t, const struct slice *v, size_t n)
{
	bool is_done = t->traffic ? tls_traffic_send(t, v, n) : tls_openssl_send(t, v, n);
	return tls_wire_flush(t) && is_done;
}

static bool tls_send(struct stream *s, const struct slice *v, size_t n)
{
	struct tls *t = tls_on(s);
	if (s->flags & (STREAM_FAILED | STREAM_RELEASED) || t->flags & (TLS_SHUT | TLS_DEAD))
		return false;
	if (!(s->flags & STREAM_SECURING))
		return protect(t, v, n);
	if (queue_append(&t->early, &s->worker->chunks, v, n))
		return true;
	stream_fail(s, ENOMEM);
	return false;
}

static void say_goodbye(struct tls *t)
{
	if (t->traffic)
		tls_traffic_close(t);
	else
		tls_openssl_close(t);
	tls_wire_flush(t);
}

static void tls_shutdown(struct stream *s)
{
	struct tls *t = tls_on(s);
	if (t->flags & TLS_SHUT)
		return;
	t->flags |= TLS_SHUT;
	if (!is_secured(t) || tls_openssl_must_wait(t))
		return;
	say_goodbye(t);
	t->below->shutdown(s);
}

/* Behind a record that is cut off it would be no sound close_notify. */
void tls_part(struct stream *s)
{
	struct tls *t = tls_on(s);
	if (is_secured(t) && !(t->flags & TLS_SHUT) && !(s->flags & STREAM_FAILED) &&
	        queue_is_empty(&s->out))
		say_goodbye(t);
}

/* ---- the handshake ---- */

static bool send_early(struct tls *t)
{
	enum { PIECES = 16 };
	struct iovec iov[PIECES];
	struct slice v[PIECES];
	int n;
	while ((n = queue_iov(&t->early, iov, PIECES)) > 0) {
		size_t len = 0;
		for (int i = 0; i < n; i++) {
			v[i] = slice_of(iov[i].iov_base, iov[i].iov_len);
			len += v[i].len;
		}
		if (!protect(t, v, (size_t)n))
			return false;
		queue_drop(&t->early, &t->stream->worker->chunks, len);
	}
	return tls_wire_flush(t);
}

static void count_handshake(const struct tls *t)
{
	struct net_counters *c = &t->stream->worker->counters;
	counter_inc(t->server ? &c->tls_accepted : &c->tls_connected);
	if (SSL_session_reused(t->ssl))
		counter_inc(&c->tls_resumed);
}

/* Returns false when the stream is gone, or has failed. */
static bool finish_handshake(struct tls *t, bool has_data)
{
	struct stream *s = t->stream;
	bool had_early = !queue_is_empty(&t->early);
	s->flags &= (uint16_t)~STREAM_SECURING;
	count_handshake(t);
	if (t->server && !tls_server_note_peer(t)) {
		stream_fail(s, ENOMEM);
		tls_wire_flush(t);
		return false;
	}
	/* What is there to be answered: the tickets go with that, in one send. */
	if (tls_hand_over(t, false) && has_data && t->server)
		tls_traffic_hold(t);
	if (!send_early(t))
		return false;
	if (t->flags & TLS_SHUT) {
		say_goodbye(t);
		t->below->shutdown(s);
	}
	if (s->events->on_connect)
		s->events->on_connect(s);
	if (!is_gone(s) && had_early && queue_is_empty(&s->out))
		s->events->on_drain(s);
	return !is_gone(s) && !(s->flags & STREAM_FAILED);
}

/* ---- receiving ---- */

static size_t room(void)
{
	return budget_is_short() ? STREAM_SHORT_READ : WORKER_RX_SIZE;
}

static bool may_go_on(const struct tls *t)
{
	return !(t->flags & (TLS_DEAD | TLS_CLOSED)) && !(t->stream->flags & STREAM_PAUSED);
}

/* Lends `in` to OpenSSL for one call; what that leaves of it stays in *in. */
static bool feed_handshake(struct tls *t, struct slice *in)
{
	struct tls_wire *wire = t->wire;
	tls_error_clear();
	wire->reader = t;
	wire->in = *in;
	tls_handover_watch(t);
	int done = SSL_do_handshake(t->ssl);
	tls_handover_unwatch();
	*in = wire->in;
	wire->reader = NULL;
	if (done == 1)
		return finish_handshake(t, in->len > 0);
	if (tls_openssl_has_failed(t))
		tls_openssl_fail(t);
	tls_wire_flush(t);
	return false;
}

void tls_greet(struct tls *t)
{
	struct slice nothing = SLICE("");
	feed_handshake(t, &nothing);
}

/* Returns what was decrypted; what was not stays in *in. */
static struct slice feed(struct tls *t, struct slice *in, size_t max)
{
	struct slice got = t->traffic ? tls_traffic_open(t, in, max) : tls_openssl_open(t, in, max);
	bool has_whole = t->traffic ? tls_traffic_has_whole(t->traffic)
	                            : got.len == max && SSL_pending(t->ssl) > 0;
	set_flag(t, TLS_PENDING, has_whole);
	tls_wire_flush(t);
	return got;
}

/* Does what can be done with `in`; returns what is left of it when the owner has paused. */
static struct slice take(struct tls *t, struct slice in)
{
	struct stream *s = t->stream;
	static const struct slice nothing;
	if (s->flags & STREAM_SECURING && !feed_handshake(t, &in))
		return nothing;
	/* A record may be left of which only a part had room before. */
	while (may_go_on(t) && (in.len > 0 || t->flags & TLS_PENDING)) {
		struct slice got = feed(t, &in, room());
		if (got.len > 0)
			stream_give(s, (uint8_t *)(uintptr_t)got.at, got.len);
		if (is_gone(s))
			return nothing;
		/* The owner waits for what came; handing over takes longer than to decrypt it. */
		if (!(t->flags & (TLS_DEAD | TLS_CLOSED)))
			tls_hand_over(t, got.len > 0);
	}
	return t->flags & (TLS_DEAD | TLS_CLOSED) ? nothing : in;
}

/* There is something to do that nothing from below will announce. */
static void come_back(struct stream *s)
{
	tls_on(s)->flags |= TLS_MORE;
	s->flags |= STREAM_READABLE;
	if (!(s->flags & STREAM_PAUSED))
		stream_make_ready(s);
}

/* After all that came was taken, or the owner has paused. */
static void settle(struct tls *t)
{
	struct stream *s = t->stream;
	if (t->flags & TLS_DEAD)
		return;
	if (t->flags & TLS_CLOSED) {
		s->flags |= STREAM_PEER_CLOSED;
		queue_clear(&t->kept, &s->worker->chunks);
	}
	bool has_more = !queue_is_empty(&t->kept) || t->flags & TLS_PENDING;
	t->flags &= (uint16_t)~TLS_MORE; /* what a turn was asked for may be done already */
	if (has_more || (t->flags & (TLS_CLOSED | TLS_END_READ) && s->flags & STREAM_PAUSED))
		come_back(s);
	else if (t->flags & (TLS_CLOSED | TLS_END_READ))
		stream_tell_eof(s);
}

static void take_fresh(struct tls *t, struct slice in)
{
	struct stream *s = t->stream;
	struct slice rest = queue_is_empty(&t->kept) ? take(t, in) : in;
	if (is_gone(s))
		return;
	if (rest.len == 0 || queue_append(&t->kept, &s->worker->chunks, &rest, 1))
		settle(t);
	else
		stream_fail(s, ENOMEM);
}

/* By the chunk, for the order must stay when the owner pauses between them. */
static void take_kept(struct tls *t)
{
	struct stream *s = t->stream;
	struct iovec v;
	if (tls_kept_is_http(t)) {
		tls_undress_kept(t);
		return;
	}
	t->flags = (uint16_t)((t->flags & ~TLS_MORE) | TLS_BEGUN);
	do {
		int n = queue_iov(&t->kept, &v, 1);
		struct slice in = n > 0 ? slice_of(v.iov_base, v.iov_len) : SLICE("");
		struct slice rest = take(t, in);
		if (is_gone(s) || t->flags & TLS_DEAD)
			return;
		if (in.len > rest.len)
			queue_drop(&t->kept, &s->worker->chunks, in.len - rest.len);
	} while (!queue_is_empty(&t->kept) && may_go_on(t));
	settle(t);
}

void tls_received(struct stream *s, size_t len)
{
	struct tls *t = tls_on(s);
	uint8_t *rx = s->worker->rx;
	if (t->flags & (TLS_DEAD | TLS_CLOSED))
		return;
	if (queue_is_empty(&t->kept)) {
		if (tls_is_http(t, rx[0])) {
			tls_undress(t);
			stream_give(s, rx, len);
			return;
		}
		t->flags |= TLS_BEGUN;
	}
	take_fresh(t, slice_of(rx, len));
}

bool tls_may_end(struct stream *s)
{
	struct tls *t = tls_on(s);
	if (t->flags & TLS_DEAD)
		return false;
	if (t->flags & TLS_MORE) {
		t->flags |= TLS_END_READ;
		return false;
	}
	/* What waits for the rest of a message waits in vain. */
	if (!(s->flags & STREAM_SECURING) && tls_openssl_must_wait(t))
		queue_clear(&t->early, &s->worker->chunks);
	if (t->client && s->flags & STREAM_SECURING) {
		t->flags |= TLS_CUT_SHORT;
		tls_openssl_fail(t);
		return false;
	}
	if (t->flags & TLS_CLOSED)
		return true;
	t->flags |= TLS_TRUNCATED;
	return true;
}

static void tls_wake(struct stream *s)
{
	struct tls *t = tls_on(s);
	if (t->flags & TLS_DEAD) {
		stream_tell_error(s);
		return;
	}
	if (t->flags & TLS_MORE && !(s->flags & STREAM_PAUSED))
		take_kept(t);
	if (is_gone(s))
		return;
	if (tls_on(s))
		t->below->wake(s);
	else
		s->ops->wake(s);
}

static void tls_release(struct stream *s, bool reset)
{
	const struct stream_ops *below = tls_on(s)->below;
	tls_free(tls_on(s));
	s->ops = below;
	below->release(s, reset);
}

static bool tls_is_delivered(struct stream *s)
{
	const struct stream_ops *below = tls_on(s)->below;
	return !below->is_delivered || below->is_delivered(s);
}

/* What OpenSSL has taken for itself, tickets say, is none of the owner's; but the beginning of a
 * record, which it keeps, may become so. */
static bool tls_is_quiet(struct stream *s)
{
	struct tls *t = tls_on(s);
	bool has_part = t->traffic ? tls_traffic_has_part(t->traffic) : tls_openssl_has_part(t);
	return !(t->flags & TLS_MORE) && !has_part &&
	       (!t->below->is_quiet || t->below->is_quiet(s));
}

static void tls_settle(struct stream *s, const struct socket_options *o)
{
	const struct stream_ops *below = tls_on(s)->below;
	if (below->settle)
		below->settle(s, o);
}

static bool tls_option(struct stream *s, int level, int name, int *value, bool set)
{
	const struct stream_ops *below = tls_on(s)->below;
	return below->option && below->option(s, level, name, value, set);
}

static bool tls_local(struct stream *s, struct address *out)
{
	const struct stream_ops *below = tls_on(s)->below;
	return below->local && below->local(s, out);
}

const struct stream_ops tls_ops = {
        .send = tls_send,
        .shutdown = tls_shutdown,
        .wake = tls_wake,
        .release = tls_release,
        .is_delivered = tls_is_delivered,
        .is_quiet = tls_is_quiet,
        .settle = tls_settle,
        .is_tls = true,
        .local = tls_local,
        .option = tls_option,
};
