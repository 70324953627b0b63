/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the contexts of servers and clients have in common: which versions, ciphers and groups are
 * spoken, PEM, and the log of secrets. Control thread, except where said. */

#include "base/slice.h"
#include "net/tls_error.h"

#include <openssl/ssl.h>
#include <stdbool.h>

enum tls_floor { TLS_FLOOR_1_2, TLS_FLOOR_1_3 };

struct tls_settings {
	enum tls_floor min_version;
	/* As OpenSSL writes such lists. */
	const char *ciphers;      /* of TLS 1.2 */
	const char *ciphersuites; /* of TLS 1.3 */
	const char *groups;
};

/* Mozilla's intermediate profile, without its DHE suites: they would want parameters of their own,
 * and who speaks TLS 1.2 without elliptic curves is not there any more. */
#define TLS_CIPHERS                                                                                \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define TLS_CIPHERSUITES \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define TLS_GROUPS "X25519:P-256:P-384"

/* Whether OpenSSL knows all that one of the lists names; false with why. */
enum tls_list { TLS_LIST_CIPHERS, TLS_LIST_SUITES, TLS_LIST_GROUPS, TLS_LISTS };
bool tls_context_knows(const struct tls_settings *s, enum tls_list which, char why[TLS_WHY_MAX]);

/* A context for streams (tls_stream.h); NULL with why. */
SSL_CTX *tls_context_new(
        const SSL_METHOD *method, const struct tls_settings *s, char why[TLS_WHY_MAX]);

/* Any thread: before the context is used for a connection. */
void tls_context_use(SSL_CTX *ctx);

/* All certificates of a PEM text, in their order; NULL with why when there are none or one is
 * broken. */
STACK_OF(X509) * tls_read_certificates(struct slice pem, char why[TLS_WHY_MAX]);
/* The first private key of a PEM text; NULL with why. */
EVP_PKEY *tls_read_key(struct slice pem, char why[TLS_WHY_MAX]);
/* A store of the certificates of a PEM text to verify others with; NULL with why. */
X509_STORE *tls_read_store(struct slice pem, char why[TLS_WHY_MAX]);
/* From now on every certificate that the store verifies must be in no list of a PEM text, which
 * holds one of each CA. False with why: it holds none, or one is broken. */
bool tls_store_add_crls(X509_STORE *store, struct slice pem, char why[TLS_WHY_MAX]);
/* Seconds until the certificate's end, negative when that has passed; and whether its
 * time has begun. */
long tls_certificate_left(const X509 *x, bool *has_begun);

/* From now on the secrets of all connections are appended to a file, for those who look at
 * traffic with other tools. False with errno. NULL: no more. */
bool tls_key_log_open(const char *path);
/* Whether it could be opened; false with errno. */
bool tls_key_log_check(const char *path);
