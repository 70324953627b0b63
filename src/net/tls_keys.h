/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Keys for records, made of what a handshake has agreed on: RFC 8446 7.1 to 7.3, RFC 5246 6.3. Who
 * is done with a key or a secret wipes it (OPENSSL_cleanse). Any thread. */

#include "net/tls_aead.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

enum { TLS_SECRET_MAX = 48, TLS_KEY_MAX = 32 };

/* An AEAD, and the hash that goes with it. */
struct tls_suite {
	struct tls_aead aead;
	EVP_MD *md;
	const char *hash;
	uint8_t key_len, hash_len;
	bool is_gcm;
};
/* NULL: records of it are not protected by one of these, or memory was short. */
const struct tls_suite *tls_suite_of(const SSL_CIPHER *c);

/* Of one direction. In TLS 1.2 with GCM only the first four bytes of the nonce are given. */
struct tls_key {
	uint8_t key[TLS_KEY_MAX], nonce[TLS_NONCE];
};

/* TLS 1.3: of a traffic secret, which has hash_len bytes. False when memory is short, here as
 * below; then nothing has changed. */
bool tls_key_of_secret(const struct tls_suite *s, const uint8_t *secret, struct tls_key *out);
/* The secret that comes after a KeyUpdate, in place. */
bool tls_secret_next(const struct tls_suite *s, uint8_t *secret);
/* TLS 1.2: of the master secret of a finished handshake. */
bool tls_keys_of_master(
        const struct tls_suite *s, SSL *ssl, struct tls_key *client, struct tls_key *server);
