/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The key derivation of TLS 1.3 (RFC 8446 7.1), as an OpenSSL provider (provider(7),
 * provider-kdf(7)) with this one algorithm, for two reasons: OpenSSL's own, which looks up its HMAC
 * by name each time, takes a tenth of a handshake; and it is here that the traffic secrets pass,
 * which the key log would only tell as text, for another twentieth. Whatever is not the common
 * case is OpenSSL's own to do. Any thread. */

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For SSL_CTX_new_ex(): by which OpenSSL finds it. NULL: there is no such provider, and OpenSSL
 * derives by itself. */
const char *tls_kdf_properties(void);

/* HKDF-Expand-Label to at most as many bytes as the hash has, of which the secret has as many; `md`
 * of SHA-256 or SHA-384. False when memory is short. */
struct tls_label {
	const uint8_t *prefix, *label, *data; /* data: the context */
	size_t prefix_len, label_len, data_len;
};
bool tls_kdf_expand(const EVP_MD *md, const uint8_t *secret, const struct tls_label *label,
        uint8_t *out, size_t len);

/* Called for each secret that this thread derives, until it is NULL again. */
typedef void (*tls_kdf_fn)(
        void *arg, const uint8_t *label, size_t label_len, const uint8_t *secret, size_t len);
void tls_kdf_watch(tls_kdf_fn fn, void *arg);
