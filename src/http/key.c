/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/key.h"

#include "base/random.h"
#include "http/chars.h"

#include <assert.h>
#include <stdlib.h>

/* EVP would fetch, allocate and dispatch for each of the two sums of a handshake, which takes
 * longer than the sums. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

enum { NONCE_LEN = 16, GUID_LEN = 36 };

static void base64(char *out, const uint8_t *in, size_t len)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; len > 0; out += 4) {
		uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0) |
		                (len > 2 ? in[2] : 0);
		out[0] = digits[bits >> 18];
		out[1] = digits[bits >> 12 & 63];
		out[2] = digits[bits >> 6 & 63];
		out[3] = digits[bits & 63];
		if (len < 3)
			break;
		in += 3;
		len -= 3;
	}
	if (len > 0)
		out[3] = '=';
	if (len == 1)
		out[2] = '=';
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
	uint8_t text[WS_KEY_LEN + GUID_LEN], sum[SHA_DIGEST_LENGTH];
	SHA_CTX c;

	assert(key.len == WS_KEY_LEN);
	memcpy(text, key.at, WS_KEY_LEN);
	memcpy(text + WS_KEY_LEN, guid, GUID_LEN);
	if (SHA1_Init(&c) != 1 || SHA1_Update(&c, text, sizeof(text)) != 1 ||
	        SHA1_Final(sum, &c) != 1)
		abort();
	base64(out, sum, sizeof(sum));
}

void ws_key_make(char out[WS_KEY_LEN])
{
	uint8_t nonce[NONCE_LEN];

	random_bytes(nonce, sizeof(nonce));
	base64(out, nonce, sizeof(nonce));
}
