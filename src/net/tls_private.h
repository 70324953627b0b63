/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the tls_*.c share. */

#include "net/stream.h"
#include "net/tls_error.h"
#include "net/tls_wire.h"

#include <openssl/ssl.h>

enum {
	TLS_BEGUN = 1 << 0,     /* the first byte has come, and may be TLS */
	TLS_DEAD = 1 << 1,      /* failed: `why` */
	TLS_CLOSED = 1 << 2,    /* a close_notify came */
	TLS_SHUT = 1 << 3,      /* the owner sends no more */
	TLS_END_READ = 1 << 4,  /* the end below was read behind what is kept */
	TLS_TRUNCATED = 1 << 5, /* there was no close_notify */
	TLS_MORE = 1 << 6,      /* something is kept, or was read, that no event will tell of */
	TLS_PENDING = 1 << 9,   /* a record is held, or its rest, for which there was no room */
	TLS_FLOOD = 1 << 7,     /* too many messages that carry nothing */
	TLS_CUT_SHORT = 1 << 8, /* the end came within the handshake */
	TLS_GOES_ON = 1 << 10,  /* a session that is kept was offered */
};

/* Of a client's certificate; its texts and its DER follow it. */
struct tls_peer {
	struct slice subject, issuer, certificate;
	char fingerprint[2 * 32];
};

struct tls_handover;
struct tls_traffic;

struct tls {
	struct stream_ops ops; /* first: those of the stream lead here */
	struct stream *stream;
	const struct stream_ops *below;
	struct tls_wire *wire;
	SSL *ssl;                      /* NULL: what it did, `traffic` does */
	struct tls_handover *handover; /* owned; NULL = there will be none, or it was */
	struct tls_traffic *traffic;   /* owned; NULL = OpenSSL protects the records */
	struct tls_server *server;     /* referenced; NULL: this end is the client */
	struct tls_client *client;     /* referenced; NULL: this end is the server */
	struct queue kept;             /* ciphertext not decrypted yet */
	struct queue early;     /* sent by the owner during the handshake, or when it must wait */
	struct tls_peer *peer;  /* owned; NULL = no certificate */
	char *why, *name, *key; /* owned */
	uint32_t idle_s;        /* in this second so many steps were taken */
	uint16_t idle_n;        /* for neither data nor the handshake */
	uint16_t flags;
	int8_t depth; /* of the certificate that was not believed; -1 = none */
};

static inline struct tls *tls_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}
/* NULL: the stream's bytes go as they are. */
static inline struct tls *tls_on(const struct stream *s)
{
	return s->ops->is_tls ? (struct tls *)(uintptr_t)s->ops : NULL;
}

extern const struct stream_ops tls_ops;

/* tls_begin.c: the first byte is no TLS but may be HTTP; takes TLS off the stream. _kept: which has
 * kept what came. */
bool tls_is_http(const struct tls *t, uint8_t first);
bool tls_kept_is_http(const struct tls *t);
void tls_undress(struct tls *t);
void tls_undress_kept(struct tls *t);
void tls_free(struct tls *t);
bool tls_certificate_is_of(X509 *x, const char *name);
/* tls_context.c, for contexts that verify: notes the depth of the first certificate that is not
 * believed. */
int tls_on_verify(int is_good, X509_STORE_CTX *store);
/* tls_stream.c: the first words of a client; the end of it by a fault of the peer's, or of ours:
 * the peer is told what was written for it, the owner EPROTO later. */
void tls_greet(struct tls *t);
void tls_fail(struct tls *t, const char *why);
/* tls_openssl.c: OpenSSL protects the records. Decrypts from *in, at most `max` bytes, to
 * wire->plain; sends; says close_notify, without a send. */
struct slice tls_openssl_open(struct tls *t, struct slice *in, size_t max);
bool tls_openssl_send(struct tls *t, const struct slice *v, size_t n);
void tls_openssl_close(struct tls *t);
/* What is sent now is kept in `early` until tls_openssl_open() has read a message to its end; the
 * goodbye of a stream that is SHUT comes behind it. */
bool tls_openssl_must_wait(const struct tls *t);
/* It holds bytes of a record, or what has been decrypted, or waits for the rest of a message. */
bool tls_openssl_has_part(const struct tls *t);
/* A call has failed: whether for good, in place of waiting for more; and then, what that means. */
bool tls_openssl_has_failed(struct tls *t);
void tls_openssl_fail(struct tls *t);
