/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_keys.h"

#include "net/tls_kdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <pthread.h>
#include <string.h>

/* ---- suites ---- */

enum { SUITES = 3 };

static const struct {
	int nid;
	const char *cipher;
	struct tls_suite suite;
} known[SUITES] = {
        {NID_aes_128_gcm, "AES-128-GCM",
                {.hash = "SHA256", .key_len = 16, .hash_len = 32, .is_gcm = true}},
        {NID_aes_256_gcm, "AES-256-GCM",
                {.hash = "SHA384", .key_len = 32, .hash_len = 48, .is_gcm = true}},
        {NID_chacha20_poly1305, "ChaCha20-Poly1305",
                {.hash = "SHA256", .key_len = 32, .hash_len = 32}},
};
static struct tls_suite suites[SUITES];

/* Looked up once: OpenSSL's search takes longer than what it finds. They live as long as the
 * process. */
static void make_suites(void)
{
	for (int i = 0; i < SUITES; i++) {
		suites[i] = known[i].suite;
		if (tls_aead_find(&suites[i].aead, known[i].cipher))
			suites[i].md = EVP_MD_fetch(NULL, suites[i].hash, NULL);
	}
}

const struct tls_suite *tls_suite_of(const SSL_CIPHER *c)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const EVP_MD *hash = c ? SSL_CIPHER_get_handshake_digest(c) : NULL;
	int nid = c ? SSL_CIPHER_get_cipher_nid(c) : NID_undef;
	pthread_once(&once, make_suites);
	for (int i = 0; hash && i < SUITES; i++)
		if (known[i].nid == nid && EVP_MD_get_size(hash) == suites[i].hash_len)
			return suites[i].md ? &suites[i] : NULL;
	return NULL;
}

/* ---- TLS 1.3 ---- */

static bool expand(const struct tls_suite *s, const uint8_t *secret, const char *label,
        uint8_t *out, size_t len)
{
	static const char prefix[] = "tls13 ";
	struct tls_label l = {.prefix = (const uint8_t *)prefix,
	        .prefix_len = sizeof prefix - 1,
	        .label = (const uint8_t *)label,
	        .label_len = strlen(label)};
	return tls_kdf_expand(s->md, secret, &l, out, len);
}

bool tls_key_of_secret(const struct tls_suite *s, const uint8_t *secret, struct tls_key *out)
{
	return expand(s, secret, "key", out->key, s->key_len) &&
	       expand(s, secret, "iv", out->nonce, TLS_NONCE);
}

bool tls_secret_next(const struct tls_suite *s, uint8_t *secret)
{
	return expand(s, secret, "traffic upd", secret, s->hash_len);
}

/* ---- TLS 1.2 ---- */

enum { RANDOM = 32 };

/* PRF(master_secret, "key expansion", server_random + client_random) (RFC 5246 6.3). */
static bool expand_master(const struct tls_suite *s, SSL *ssl, uint8_t *out, size_t len)
{
	char label[] = "key expansion", hash[8];
	uint8_t master[TLS_SECRET_MAX], client[RANDOM], server[RANDOM];
	size_t master_len = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
	SSL_get_client_random(ssl, client, sizeof client);
	SSL_get_server_random(ssl, server, sizeof server);
	memcpy(hash, s->hash, strlen(s->hash) + 1);
	OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, strlen(hash)),
	        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, master, master_len),
	        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
	        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, server, sizeof server),
	        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, client, sizeof client),
	        OSSL_PARAM_END};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool is_good = c && master_len > 0 && EVP_KDF_derive(c, out, len, params) > 0;
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	OPENSSL_cleanse(master, sizeof master);
	return is_good;
}

bool tls_keys_of_master(
        const struct tls_suite *s, SSL *ssl, struct tls_key *client, struct tls_key *server)
{
	enum { SALT = 4 };
	uint8_t block[2 * (TLS_KEY_MAX + TLS_NONCE)], *at = block;
	size_t nonce = s->is_gcm ? SALT : TLS_NONCE;
	bool is_good = expand_master(s, ssl, block, 2 * (s->key_len + nonce));
	if (is_good) {
		/* An AEAD has no MAC keys. */
		memcpy(client->key, at, s->key_len);
		memcpy(server->key, at += s->key_len, s->key_len);
		memcpy(client->nonce, at += s->key_len, nonce);
		memcpy(server->nonce, at + nonce, nonce);
	}
	OPENSSL_cleanse(block, sizeof block);
	return is_good;
}
