/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* OpenSSL's AEADs, called as its providers offer them (provider-cipher(7)), without EVP in between.
 * For each record that would look up by name how long a nonce is, before it went on, and costs as
 * much as to encrypt some hundred bytes. Any thread; an object of one direction by one at a time.
 *
 *     tls_aead_start(), tls_aead_pass() any number of times, tls_aead_seal() or tls_aead_open() */

#include <openssl/core_dispatch.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_NONCE = 12, TLS_TAG = 16 };

struct tls_aead {
	EVP_CIPHER *fetched; /* which keeps the provider */
	void *provider;
	OSSL_FUNC_cipher_newctx_fn *make;
	OSSL_FUNC_cipher_freectx_fn *destroy;
	OSSL_FUNC_cipher_encrypt_init_fn *init[2]; /* to open, to seal */
	OSSL_FUNC_cipher_update_fn *update;
	OSSL_FUNC_cipher_final_fn *final;
	OSSL_FUNC_cipher_get_ctx_params_fn *get;
};

/* By its name for OpenSSL. Lasts as long as the process. False: there is none, or memory was short.
 */
bool tls_aead_find(struct tls_aead *a, const char *name);

/* NULL when memory is short. */
void *tls_aead_new(const struct tls_aead *a, const uint8_t *key, size_t len, bool seals);
/* Wipes it. NULL is fine. */
void tls_aead_free(const struct tls_aead *a, void *c);
bool tls_aead_rekey(const struct tls_aead *a, void *c, const uint8_t *key, size_t len, bool seals);

/* The tag that is to be found, to open; NULL to seal. `about`: what is only authenticated. */
bool tls_aead_start(const struct tls_aead *a, void *c, const uint8_t nonce[TLS_NONCE],
        const uint8_t *tag, const uint8_t *about, size_t len);
/* May be in place. */
bool tls_aead_pass(const struct tls_aead *a, void *c, const uint8_t *at, size_t len, uint8_t *out);
bool tls_aead_seal(const struct tls_aead *a, void *c, uint8_t tag[TLS_TAG]);
/* False: it is another tag. */
bool tls_aead_open(const struct tls_aead *a, void *c);
