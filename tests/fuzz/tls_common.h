/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the fuzz targets of TLS share: both ends' contexts, with one certificate that is made once,
 * and the pattern that both ends send. */

#include "base/mem.h"
#include "net/tls_client.h"
#include "net/tls_server.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { PATTERN = 1 << 20, RECEIVE_MAX = 60000 };

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

struct tls_ends {
	struct tls_server *server;
	struct tls_client *client;
	SSL_CTX *far_server, *far_client;
	uint8_t *pattern;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline char *pem_text(BIO *b)
{
	char *at;
	long n = BIO_get_mem_data(b, &at);
	char *text = mem_new((size_t)n + 1);
	memcpy(text, at, (size_t)n);
	BIO_free(b);
	return text;
}

static inline void make_certificate(X509 **x, EVP_PKEY **key)
{
	*key = EVP_EC_gen("P-256");
	*x = X509_new();
	X509_set_version(*x, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(*x), -86400);
	X509_gmtime_adj(X509_getm_notAfter(*x), 86400L * 365);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(*x), "CN", MBSTRING_ASC,
	        (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(*x, X509_get_subject_name(*x));
	X509_set_pubkey(*x, *key);
	CHECK(X509_sign(*x, *key, EVP_sha256()) > 0);
}

static inline void make_ours(struct tls_ends *e, const char *chain, const char *secret)
{
	char why[TLS_WHY_MAX];
	struct tls_settings tls = {TLS_FLOOR_1_2, TLS_CIPHERS, TLS_CIPHERSUITES, TLS_GROUPS};
	e->server = tls_server_new(&(struct tls_server_settings){.tls = tls, .scope = "fuzz"}, why);
	CHECK(tls_server_add(e->server, slice_str(chain), slice_str(secret), why));
	CHECK(tls_server_finish(e->server, why));
	e->client = tls_client_new(
	        &(struct tls_client_settings){.tls = tls, .verify = true, .ca = slice_str(chain)},
	        why);
}

/* `properties`: by which OpenSSL chooses the far end's algorithms; NULL = its own. */
static inline void tls_ends_init(struct tls_ends *e, const char *properties)
{
	X509 *x;
	EVP_PKEY *key;
	make_certificate(&x, &key);
	BIO *b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, x);
	char *chain = pem_text(b);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	char *secret = pem_text(b);
	make_ours(e, chain, secret);
	e->far_client = SSL_CTX_new_ex(NULL, properties, TLS_client_method());
	e->far_server = SSL_CTX_new_ex(NULL, properties, TLS_server_method());
	SSL_CTX_use_certificate(e->far_server, x);
	SSL_CTX_use_PrivateKey(e->far_server, key);
	e->pattern = mem_new(PATTERN);
	for (size_t i = 0; i < PATTERN; i++)
		e->pattern[i] = (uint8_t)(i * 7 + i / 251);
	mem_free(chain);
	mem_free(secret);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* The far end of our stream, between two buffers in memory. */
static inline SSL *tls_ends_far(const struct tls_ends *e, bool is_client)
{
	SSL *far = SSL_new(is_client ? e->far_server : e->far_client);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(far, in, out);
	if (is_client)
		SSL_set_accept_state(far);
	else
		SSL_set_connect_state(far);
	return far;
}
