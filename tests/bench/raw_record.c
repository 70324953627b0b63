/* SPDX-License-Identifier: BSD-2-Clause */
#include "raw_record.h"

#include "util.h"

#include <endian.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <string.h>

enum { KEY = 16, NONCE = 12, TAG = 16 };

/* What EVP calls, called without EVP: all that a record takes is in here. */
static struct {
	void *provider;
	OSSL_FUNC_cipher_newctx_fn *make;
	OSSL_FUNC_cipher_freectx_fn *destroy;
	OSSL_FUNC_cipher_encrypt_init_fn *init[2]; /* to open, to seal */
	OSSL_FUNC_cipher_update_fn *update;
	OSSL_FUNC_cipher_final_fn *final;
	OSSL_FUNC_cipher_get_ctx_params_fn *get;
} aead;

static void take_function(const OSSL_DISPATCH *f)
{
	switch (f->function_id) {
	case OSSL_FUNC_CIPHER_NEWCTX:
		aead.make = OSSL_FUNC_cipher_newctx(f);
		break;
	case OSSL_FUNC_CIPHER_FREECTX:
		aead.destroy = OSSL_FUNC_cipher_freectx(f);
		break;
	case OSSL_FUNC_CIPHER_DECRYPT_INIT:
		aead.init[0] = OSSL_FUNC_cipher_decrypt_init(f);
		break;
	case OSSL_FUNC_CIPHER_ENCRYPT_INIT:
		aead.init[1] = OSSL_FUNC_cipher_encrypt_init(f);
		break;
	case OSSL_FUNC_CIPHER_UPDATE:
		aead.update = OSSL_FUNC_cipher_update(f);
		break;
	case OSSL_FUNC_CIPHER_FINAL:
		aead.final = OSSL_FUNC_cipher_final(f);
		break;
	case OSSL_FUNC_CIPHER_GET_CTX_PARAMS:
		aead.get = OSSL_FUNC_cipher_get_ctx_params(f);
		break;
	}
}

void record_init(void)
{
	EVP_CIPHER *fetched = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	const OSSL_PROVIDER *p = fetched ? EVP_CIPHER_get0_provider(fetched) : NULL;
	const OSSL_ALGORITHM *a = NULL;
	int is_fixed;

	if (p)
		a = OSSL_PROVIDER_query_operation(p, OSSL_OP_CIPHER, &is_fixed);
	while (a && a->algorithm_names && !strstr(a->algorithm_names, "id-aes128-GCM"))
		a++;
	if (!a || !a->algorithm_names)
		die("OpenSSL has no AES-128-GCM");
	aead.provider = OSSL_PROVIDER_get0_provider_ctx(p);
	for (const OSSL_DISPATCH *f = a->implementation; f->function_id; f++)
		take_function(f);
}

/* HKDF-Expand-Label (RFC 8446 7.1) of at most one block, and without a context. */
static void expand(const uint8_t secret[RECORD_SECRET], const char *label, uint8_t *out, size_t len)
{
	uint8_t about[64], block[RECORD_SECRET];
	size_t n = strlen(label);

	about[0] = 0;
	about[1] = (uint8_t)len;
	about[2] = (uint8_t)n;
	memcpy(about + 3, label, n);
	about[3 + n] = 0; /* of the context */
	about[4 + n] = 1; /* the first block */
	if (!HMAC(EVP_sha256(), secret, RECORD_SECRET, about, n + 5, block, NULL))
		die("OpenSSL makes no HMAC");
	memcpy(out, block, len);
}

void record_keys_init(struct record_keys *k, const uint8_t secret[RECORD_SECRET], int seals)
{
	uint8_t key[KEY];

	expand(secret, "tls13 key", key, KEY);
	expand(secret, "tls13 iv", k->nonce, NONCE);
	k->number = 0;
	k->cipher = aead.make(aead.provider);
	if (!k->cipher || !aead.init[seals](k->cipher, key, KEY, NULL, 0, NULL))
		die("OpenSSL takes no key");
}

void record_keys_fini(struct record_keys *k)
{
	if (k->cipher)
		aead.destroy(k->cipher);
	k->cipher = NULL;
}

static void next_nonce(struct record_keys *k, uint8_t nonce[NONCE])
{
	uint64_t tail;

	memcpy(nonce, k->nonce, NONCE);
	memcpy(&tail, nonce + NONCE - sizeof(tail), sizeof(tail));
	tail ^= htobe64(k->number++);
	memcpy(nonce + NONCE - sizeof(tail), &tail, sizeof(tail));
}

size_t record_seal(struct record_keys *k, uint8_t type, uint8_t *at, size_t len, uint8_t *out)
{
	uint8_t nonce[NONCE], behind = at[len], *body = out + RECORD_HEAD;
	size_t done, all = len + RECORD_MORE;
	OSSL_PARAM tag[] = {
	        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, body + len + 1, TAG),
	        OSSL_PARAM_END,
	};

	memcpy(out, (uint8_t[]){RECORD_OF_DATA, 3, 3, (uint8_t)(all >> 8), (uint8_t)all},
	        RECORD_HEAD);
	next_nonce(k, nonce);
	at[len] = type;
	if (!aead.init[1](k->cipher, NULL, 0, nonce, NONCE, NULL) ||
	        !aead.update(k->cipher, NULL, &done, RECORD_HEAD, out, RECORD_HEAD) ||
	        !aead.update(k->cipher, body, &done, len + 1, at, len + 1) ||
	        !aead.final(k->cipher, nonce, &done, 0) || !aead.get(k->cipher, tag))
		die("OpenSSL seals no record");
	at[len] = behind;
	return RECORD_HEAD + all;
}

size_t record_len(const uint8_t *at, size_t len)
{
	return len < RECORD_HEAD ? 0 : RECORD_HEAD + ((size_t)at[3] << 8 | at[4]);
}

ssize_t record_open(
        struct record_keys *k, const uint8_t *record, size_t len, uint8_t *out, uint8_t *type)
{
	uint8_t nonce[NONCE];
	size_t done, all;
	OSSL_PARAM tag[] = {
	        OSSL_PARAM_octet_string(
	                OSSL_CIPHER_PARAM_AEAD_TAG, (void *)(uintptr_t)(record + len - TAG), TAG),
	        OSSL_PARAM_END,
	};

	if (len < RECORD_HEAD + RECORD_MORE)
		return -1;
	all = len - RECORD_HEAD - TAG;
	next_nonce(k, nonce);
	if (!aead.init[0](k->cipher, NULL, 0, nonce, NONCE, tag) ||
	        !aead.update(k->cipher, NULL, &done, RECORD_HEAD, record, RECORD_HEAD) ||
	        !aead.update(k->cipher, out, &done, all, record + RECORD_HEAD, all) ||
	        !aead.final(k->cipher, nonce, &done, 0))
		return -1;
	while (all > 0 && !out[all - 1])
		all--;
	if (all == 0)
		return -1;
	*type = out[all - 1];
	return (ssize_t)all - 1;
}
