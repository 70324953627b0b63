/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_aead.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>
#include <strings.h>

/* ---- finding it ---- */

/* An algorithm has several names, with colons between. */
static bool is_called(const OSSL_ALGORITHM *all, const char *name)
{
	size_t len = strlen(name), n;
	for (const char *at = all->algorithm_names;; at += n + 1) {
		n = strcspn(at, ":");
		if (n == len && strncasecmp(at, name, n) == 0)
			return true;
		if (at[n] == '\0')
			return false;
	}
}

static void take(struct tls_aead *a, const OSSL_DISPATCH *f)
{
	for (; f->function_id != 0; f++) {
		switch (f->function_id) {
		case OSSL_FUNC_CIPHER_NEWCTX:
			a->make = OSSL_FUNC_cipher_newctx(f);
			break;
		case OSSL_FUNC_CIPHER_FREECTX:
			a->destroy = OSSL_FUNC_cipher_freectx(f);
			break;
		case OSSL_FUNC_CIPHER_DECRYPT_INIT:
			a->init[false] = OSSL_FUNC_cipher_decrypt_init(f);
			break;
		case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
			a->init[true] = OSSL_FUNC_cipher_encrypt_init(f);
			break;
		case OSSL_FUNC_CIPHER_UPDATE:
			a->update = OSSL_FUNC_cipher_update(f);
			break;
		case OSSL_FUNC_CIPHER_FINAL:
			a->final = OSSL_FUNC_cipher_final(f);
			break;
		case OSSL_FUNC_CIPHER_GET_CTX_PARAMS:
			a->get = OSSL_FUNC_cipher_get_ctx_params(f);
			break;
		}
	}
}

static bool is_complete(const struct tls_aead *a)
{
	return a->make && a->destroy && a->init[false] && a->init[true] && a->update && a->final &&
	       a->get;
}

bool tls_aead_find(struct tls_aead *a, const char *name)
{
	int is_fixed;
	*a = (struct tls_aead){.fetched = EVP_CIPHER_fetch(NULL, name, NULL)};
	if (!a->fetched)
		return false;
	const OSSL_PROVIDER *p = EVP_CIPHER_get0_provider(a->fetched);
	const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(p, OSSL_OP_CIPHER, &is_fixed);
	const OSSL_ALGORITHM *it = all;
	while (it && it->algorithm_names && !is_called(it, name))
		it++;
	if (it && it->algorithm_names)
		take(a, it->implementation);
	OSSL_PROVIDER_unquery_operation(p, OSSL_OP_CIPHER, all);
	a->provider = OSSL_PROVIDER_get0_provider_ctx(p);
	if (is_complete(a))
		return true;
	EVP_CIPHER_free(a->fetched);
	a->fetched = NULL;
	return false;
}

/* ---- keys ---- */

bool tls_aead_rekey(const struct tls_aead *a, void *c, const uint8_t *key, size_t len, bool seals)
{
	return a->init[seals](c, key, len, NULL, 0, NULL);
}

void *tls_aead_new(const struct tls_aead *a, const uint8_t *key, size_t len, bool seals)
{
	void *c = a->make(a->provider);
	if (!c || tls_aead_rekey(a, c, key, len, seals))
		return c;
	a->destroy(c);
	return NULL;
}

void tls_aead_free(const struct tls_aead *a, void *c)
{
	if (c)
		a->destroy(c);
}

/* ---- records ---- */

bool tls_aead_start(const struct tls_aead *a, void *c, const uint8_t nonce[TLS_NONCE],
        const uint8_t *tag, const uint8_t *about, size_t len)
{
	size_t done;
	OSSL_PARAM wanted[] = {
	        /* It is only read. */
	        OSSL_PARAM_octet_string(
	                OSSL_CIPHER_PARAM_AEAD_TAG, (void *)(uintptr_t)tag, TLS_TAG),
	        OSSL_PARAM_END,
	};
	return a->init[!tag](c, NULL, 0, nonce, TLS_NONCE, tag ? wanted : NULL) &&
	       a->update(c, NULL, &done, len, about, len);
}

bool tls_aead_pass(const struct tls_aead *a, void *c, const uint8_t *at, size_t len, uint8_t *out)
{
	size_t done;
	return len == 0 || a->update(c, out, &done, len, at, len);
}

/* An AEAD has no bytes left for its end. */
static bool finish(const struct tls_aead *a, void *c)
{
	uint8_t nothing[1];
	size_t done;
	return a->final(c, nothing, &done, 0);
}

bool tls_aead_seal(const struct tls_aead *a, void *c, uint8_t tag[TLS_TAG])
{
	OSSL_PARAM made[] = {
	        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TLS_TAG),
	        OSSL_PARAM_END,
	};
	return finish(a, c) && a->get(c, made);
}

bool tls_aead_open(const struct tls_aead *a, void *c)
{
	return finish(a, c);
}
