/* SPDX-License-Identifier: BSD-2-Clause */

/* Records as OpenSSL protects them: in the handshake, and of connections that it has not handed
 * over (tls_handover.h). It sees no descriptor: what was received is handed to it whole, so that it
 * waits to read only within a record, whose beginning it keeps, or within a message over several,
 * and never to write. */

#include "net/tls_handover.h"
#include "net/tls_private.h"
#include "net/worker.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* ---- failing ---- */

static const char *own_reason(const struct tls *t)
{
	if (t->flags & TLS_FLOOD)
		return "too many messages that carry nothing";
	if (t->flags & TLS_CUT_SHORT)
		return "the connection ended within the handshake";
	return t->stream->flags & STREAM_FAILED ? "the connection failed" : NULL;
}

/* The certificate that was not believed, and why. */
static void certificate_words(const struct tls *t, char out[TLS_WHY_MAX])
{
	long result = SSL_get_verify_result(t->ssl);
	snprintf(out, TLS_WHY_MAX, "certificate not accepted: %s (depth %d)",
	        X509_verify_cert_error_string(result), t->depth);
}

void tls_openssl_fail(struct tls *t)
{
	char words[TLS_WHY_MAX];
	const char *own = own_reason(t);
	if (t->flags & TLS_DEAD)
		return;
	tls_error_take(words);
	if (own)
		snprintf(words, sizeof words, "%s", own);
	else if (t->depth >= 0)
		certificate_words(t, words);
	tls_fail(t, words);
}

/* The queue of errors, which SSL_get_error() looks at first, may hold what others have left there.
 * To empty it before each call would cost every message; so it is asked last, and for one thing
 * only: a fatal alert ends the peer's part as a close_notify does, and leaves an error behind. */
bool tls_openssl_has_failed(struct tls *t)
{
	if (SSL_want_read(t->ssl) && BIO_should_retry(SSL_get_rbio(t->ssl)))
		return false;
	if (!(SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) ||
	        ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL)
		return true;
	t->flags |= TLS_CLOSED;
	return false;
}

/* ---- sending ---- */

static bool encrypt(struct tls *t, const uint8_t *at, size_t len)
{
	size_t done;
	if (len == 0 || SSL_write_ex(t->ssl, at, len, &done))
		return true;
	tls_openssl_fail(t);
	return false;
}

/* Some messages come after the handshake, and OpenSSL takes the beginning of one for the beginning
 * of another handshake, in which it writes nothing. */
bool tls_openssl_must_wait(const struct tls *t)
{
	return t->ssl && SSL_in_init(t->ssl);
}

/* A peer that does not end its message does not make the queue long. */
static bool keep_waiting(struct tls *t, const struct slice *v, size_t n)
{
	enum { WAITING_MAX = 256 * 1024 };
	if (t->early.bytes > WAITING_MAX) {
		tls_fail(t, "a message of the peer's has not ended in time");
		return false;
	}
	if (queue_append(&t->early, &t->stream->worker->chunks, v, n))
		return true;
	stream_fail(t->stream, ENOMEM);
	return false;
}

/* The message has ended. */
static void send_waiting(struct tls *t)
{
	struct stream *s = t->stream;
	struct iovec v;
	while (queue_iov(&t->early, &v, 1) > 0) {
		if (!encrypt(t, v.iov_base, v.iov_len))
			return;
		queue_drop(&t->early, &s->worker->chunks, v.iov_len);
	}
	if (!(t->flags & TLS_SHUT))
		return;
	tls_openssl_close(t);
	if (tls_wire_flush(t))
		t->below->shutdown(s);
}

/* Pieces that fit share a record. */
bool tls_openssl_send(struct tls *t, const struct slice *v, size_t n)
{
	uint8_t *room = t->wire->gather;
	size_t len = 0;
	if (tls_openssl_must_wait(t))
		return keep_waiting(t, v, n);
	if (n == 1)
		return encrypt(t, v->at, v->len);
	for (size_t i = 0; i < n; i++) {
		if (v[i].len > TLS_GATHER_MAX - len) {
			if (!encrypt(t, room, len))
				return false;
			len = 0;
		}
		if (v[i].len >= TLS_GATHER_MAX) {
			if (!encrypt(t, v[i].at, v[i].len))
				return false;
		} else if (v[i].len > 0) {
			memcpy(room + len, v[i].at, v[i].len);
			len += v[i].len;
		}
	}
	return encrypt(t, room, len);
}

void tls_openssl_close(struct tls *t)
{
	tls_error_clear();
	if (SSL_shutdown(t->ssl) < 0)
		tls_error_clear();
}

/* ---- receiving ---- */

/* Of a record whose head alone has come OpenSSL says only that it waits for the body. */
bool tls_openssl_has_part(const struct tls *t)
{
	return SSL_has_pending(t->ssl) || strcmp(SSL_rstate_string(t->ssl), "RB") == 0 ||
	       tls_openssl_must_wait(t);
}

/* Each call of OpenSSL gives what is left of one record, if there is room. One that may be handed
 * over reads no further than the first. */
struct slice tls_openssl_open(struct tls *t, struct slice *in, size_t max)
{
	struct tls_wire *wire = t->wire;
	bool is_one = tls_handover_is_due(t), has_waited = tls_openssl_must_wait(t);
	uint8_t *plain = stream_open(wire->plain);
	size_t n = 0, got;
	wire->reader = t;
	wire->in = *in;
	do {
		if (!SSL_read_ex(t->ssl, plain + n, max - n, &got)) {
			if (tls_openssl_has_failed(t))
				tls_openssl_fail(t);
			break;
		}
		n += got;
	} while (n < max && wire->in.len > 0 && !is_one);
	*in = wire->in;
	wire->reader = NULL;
	if (has_waited && !tls_openssl_must_wait(t) && !(t->flags & TLS_DEAD))
		send_waiting(t);
	return slice_of(plain, n);
}
