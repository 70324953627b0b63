/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The other end of a TLS stream: OpenSSL itself, with nothing of ours in between. And certificates,
 * made when they are needed. */

#include "net/sim.h"
#include "net/tls_stream.h"
#include "net_tap.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* ---- certificates ---- */

struct identity {
	char *chain, *key; /* PEM */
	X509 *x;
	EVP_PKEY *pkey;
};

static char *pem_text(BIO *b)
{
	char *at, *text;
	long n = BIO_get_mem_data(b, &at);
	text = malloc((size_t)n + 1);
	memcpy(text, at, (size_t)n);
	text[n] = '\0';
	BIO_free(b);
	return text;
}

static void add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX c;
	X509V3_set_ctx(&c, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
	ck_assert_ptr_nonnull(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

/* `type`: "EC" or "RSA"; `names` as a subjectAltName is written, or NULL; valid for so many seconds
 * from now, or since a day before that. `issuer` NULL: signed by itself. */
static struct identity identity_of(const char *type, const char *common_name, const char *names,
        long seconds, const struct identity *issuer)
{
	static long serial = 1;
	struct identity id;
	id.pkey = strcmp(type, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	id.x = X509_new();
	X509_set_version(id.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(id.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id.x), seconds < 86400 * 365 ? -86400 : 86400);
	X509_gmtime_adj(X509_getm_notAfter(id.x), seconds);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(id.x), "CN", MBSTRING_ASC,
	        (const unsigned char *)common_name, -1, -1, 0);
	X509_set_issuer_name(id.x, X509_get_subject_name(issuer ? issuer->x : id.x));
	X509_set_pubkey(id.x, id.pkey);
	add_extension(id.x, NID_basic_constraints, issuer ? "CA:FALSE" : "CA:TRUE");
	if (names)
		add_extension(id.x, NID_subject_alt_name, names);
	ck_assert_int_gt(X509_sign(id.x, issuer ? issuer->pkey : id.pkey, EVP_sha256()), 0);
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, id.x);
	id.chain = pem_text(b);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(b, id.pkey, NULL, NULL, 0, NULL, NULL);
	id.key = pem_text(b);
	return id;
}

static void identity_free(struct identity *id)
{
	free(id->chain);
	free(id->key);
	X509_free(id->x);
	EVP_PKEY_free(id->pkey);
}

/* ---- the peer ---- */

struct peer {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* owned by ssl: what it reads, and what it has written */
};

static struct peer peer_new(bool is_server, const struct identity *id)
{
	struct peer p;
	p.context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	if (id) {
		SSL_CTX_use_certificate(p.context, id->x);
		SSL_CTX_use_PrivateKey(p.context, id->pkey);
	}
	p.ssl = SSL_new(p.context);
	p.in = BIO_new(BIO_s_mem());
	p.out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(p.in, -1);
	SSL_set_bio(p.ssl, p.in, p.out);
	if (is_server)
		SSL_set_accept_state(p.ssl);
	else
		SSL_set_connect_state(p.ssl);
	return p;
}

static void peer_free(struct peer *p)
{
	if (p->ssl) /* or its session would be no longer good */
		SSL_set_shutdown(p->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(p->ssl);
	SSL_CTX_free(p->context);
	p->ssl = NULL;
	p->context = NULL;
}

/* What the peer has written, at most `max` bytes, to the stream as one receive. Returns how many
 * there were. */
static size_t peer_to_stream(struct peer *p, struct stream *s, size_t max)
{
	static uint8_t buf[WORKER_RX_SIZE];
	int n = BIO_read(p->out, buf, (int)(max < sizeof buf ? max : sizeof buf));
	if (n <= 0)
		return 0;
	/* Of the exact size, so that a read behind it is seen. */
	uint8_t *copy = malloc((size_t)n);
	memcpy(copy, buf, (size_t)n);
	sim_push(s, copy, (size_t)n);
	free(copy);
	return (size_t)n;
}

static size_t stream_to_peer(struct stream *s, struct peer *p)
{
	struct slice v = sim_sent(s);
	if (v.len > 0)
		BIO_write(p->in, v.at, (int)v.len);
	sim_take(s, v.len);
	return v.len;
}

/* Both sides as far as they go; the peer's bytes arrive `step` at a time. */
static void shake_hands(struct peer *p, struct stream *s, struct worker *w, size_t step)
{
	for (bool moves = true; moves;) {
		SSL_do_handshake(p->ssl);
		moves = stream_to_peer(s, p) > 0;
		while (peer_to_stream(p, s, step) > 0)
			moves = true;
		worker_turn(w, 0);
		ERR_clear_error();
	}
}

/* The peer's plaintext, as far as there is any. */
static size_t peer_read(struct peer *p, struct stream *s, void *to, size_t size)
{
	size_t n = 0, got;
	stream_to_peer(s, p);
	while (n < size && SSL_read_ex(p->ssl, (uint8_t *)to + n, size - n, &got))
		n += got;
	return n;
}

static inline void peer_write(struct peer *p, const void *at, size_t len)
{
	size_t done;
	ck_assert_int_eq(SSL_write_ex(p->ssl, at, len, &done), 1);
}
