/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/key.h"

#include "base/random.h"
#include "http/chars.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

enum { SHA1_LEN = 20, NONCE_LEN = 16, GUID_LEN = 36 };

/* Fetching the digest for each use would cost three times the digest itself. */
static EVP_MD *sha1;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_exit;
static _Thread_local EVP_MD_CTX *context;

static void free_context(void *c)
{
	EVP_MD_CTX_free(c);
}

static void fetch(void)
{
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	if (!sha1 || pthread_key_create(&at_thread_exit, free_context) != 0)
		abort();
}

static EVP_MD_CTX *own_context(void)
{
	if (context)
		return context;
	pthread_once(&once, fetch);
	context = EVP_MD_CTX_new();
	if (!context || pthread_setspecific(at_thread_exit, context) != 0)
		abort();
	return context;
}

static void base64(char *out, const uint8_t *in, size_t len)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; len > 0; out += 4) {
		size_t n = len < 3 ? len : 3;
		uint32_t bits = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0) |
		                (n > 2 ? in[2] : 0);
		out[0] = digits[bits >> 18];
		out[1] = digits[bits >> 12 & 63];
		out[2] = n > 1 ? digits[bits >> 6 & 63] : '=';
		out[3] = n > 2 ? digits[bits & 63] : '=';
		in += n;
		len -= n;
	}
}

bool ws_key_is_valid(struct slice key)
{
	if (key.len != WS_KEY_LEN || memcmp(key.at + 22, "==", 2) != 0)
		return false;
	for (size_t i = 0; i < 22; i++)
		if (!char_is(key.at[i], CHAR_BASE64))
			return false;
	return memchr("AQgw", key.at[21], 4) != NULL;
}

void ws_accept_value(char out[WS_ACCEPT_LEN], struct slice key)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t text[WS_KEY_LEN + GUID_LEN], sum[SHA1_LEN];
	EVP_MD_CTX *c = own_context();

	assert(key.len == WS_KEY_LEN);
	memcpy(text, key.at, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, guid, GUID_LEN);
	if (EVP_DigestInit_ex2(c, sha1, NULL) != 1 ||
	        EVP_DigestUpdate(c, text, sizeof(text)) != 1 ||
	        EVP_DigestFinal_ex(c, sum, NULL) != 1)
		abort();
	base64(out, sum, sizeof(sum));
}

void ws_key_make(char out[WS_KEY_LEN])
{
	uint8_t nonce[NONCE_LEN];

	random_bytes(nonce, sizeof(nonce));
	base64(out, nonce, sizeof(nonce));
}
