/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_record.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Pieces of a record up to this length are copied and encrypted by one call, which is cheaper than
 * a call for each. */
enum { COPIED_MAX = 1024 };

enum { VERSION_MAJOR = 3, VERSION_MINOR = 3, EXPLICIT_1_2_GCM = 8 };

bool tls_record_init(struct tls_record *r, const struct tls_suite *s, const struct tls_key *key,
        bool is_1_3, bool seals, uint64_t n)
{
	*r = (struct tls_record){.suite = s,
	        .cipher = tls_aead_new(&s->aead, key->key, s->key_len, seals),
	        .n = n,
	        .explicit_len = !is_1_3 && s->is_gcm ? EXPLICIT_1_2_GCM : 0,
	        .is_1_3 = is_1_3,
	        .seals = seals};
	memcpy(r->nonce, key->nonce, TLS_NONCE);
	return r->cipher != NULL;
}

void tls_record_fini(struct tls_record *r)
{
	if (r->cipher)
		tls_aead_free(&r->suite->aead, r->cipher);
	*r = (struct tls_record){.cipher = NULL};
}

bool tls_record_rekey(struct tls_record *r, const struct tls_key *key)
{
	memcpy(r->nonce, key->nonce, TLS_NONCE);
	r->n = 0;
	return tls_aead_rekey(&r->suite->aead, r->cipher, key->key, r->suite->key_len, r->seals);
}

size_t tls_record_overhead(const struct tls_record *r)
{
	return (size_t)TLS_RECORD_HEAD + r->explicit_len + r->is_1_3 + TLS_TAG;
}

/* ---- nonces, and what is authenticated ---- */

static void put_number(uint8_t out[8], uint64_t n)
{
	n = htobe64(n);
	memcpy(out, &n, sizeof n);
}

static void put_16(uint8_t *out, size_t n)
{
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
}

/* `explicit`: where the record has that part of it. The peer of TLS 1.2 with GCM only asks that it
 * be never the same (RFC 5288 3); that OpenSSL took this record's number, by chance, for what it
 * protected of the handshake is as likely as a right guess of 64 bits. */
static void make_nonce(const struct tls_record *r, const uint8_t *explicit, uint8_t out[TLS_NONCE])
{
	memcpy(out, r->nonce, TLS_NONCE);
	if (r->explicit_len > 0) {
		memcpy(out + TLS_NONCE - r->explicit_len, explicit, r->explicit_len);
		return;
	}
	uint64_t tail;
	memcpy(&tail, out + TLS_NONCE - sizeof tail, sizeof tail);
	tail ^= htobe64(r->n);
	memcpy(out + TLS_NONCE - sizeof tail, &tail, sizeof tail);
}

enum { ABOUT_1_2 = 8 + 5 };

/* RFC 8446 5.2, RFC 5246 6.2.3.3. `len` of the plaintext. */
static size_t make_about(
        const struct tls_record *r, const uint8_t *head, size_t len, uint8_t out[ABOUT_1_2])
{
	if (r->is_1_3) {
		memcpy(out, head, TLS_RECORD_HEAD);
		return TLS_RECORD_HEAD;
	}
	put_number(out, r->n);
	memcpy(out + 8, head, 3);
	put_16(out + 11, len);
	return ABOUT_1_2;
}

/* ---- sealing ---- */

static size_t put_head(const struct tls_record *r, uint8_t type, size_t plain, uint8_t *out)
{
	out[0] = r->is_1_3 ? SSL3_RT_APPLICATION_DATA : type;
	out[1] = VERSION_MAJOR;
	out[2] = VERSION_MINOR;
	put_16(out + 3, r->explicit_len + plain + TLS_TAG);
	if (r->explicit_len > 0)
		put_number(out + TLS_RECORD_HEAD, r->n);
	return (size_t)TLS_RECORD_HEAD + r->explicit_len;
}

static bool cipher(struct tls_record *r, const uint8_t *at, size_t len, uint8_t *out)
{
	return tls_aead_pass(&r->suite->aead, r->cipher, at, len, out);
}

static bool encrypt_copied(
        struct tls_record *r, const struct slice *v, size_t n, const uint8_t *type, uint8_t *out)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i].len > 0)
			memcpy(out + len, v[i].at, v[i].len);
		len += v[i].len;
	}
	if (type)
		out[len++] = *type;
	return cipher(r, out, len, out);
}

static bool encrypt_pieces(
        struct tls_record *r, const struct slice *v, size_t n, const uint8_t *type, uint8_t *out)
{
	for (size_t i = 0; i < n; i++) {
		if (!cipher(r, v[i].at, v[i].len, out))
			return false;
		out += v[i].len;
	}
	return !type || cipher(r, type, 1, out);
}

size_t tls_record_seal(
        struct tls_record *r, uint8_t type, const struct slice *v, size_t n, uint8_t *out)
{
	uint8_t nonce[TLS_NONCE], about[ABOUT_1_2];
	const uint8_t *inner = r->is_1_3 ? &type : NULL;
	const struct tls_aead *aead = &r->suite->aead;
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += v[i].len;
	assert(r->seals && len <= TLS_RECORD_DATA);
	size_t plain = len + (inner ? 1 : 0);
	uint8_t *body = out + put_head(r, type, plain, out);
	make_nonce(r, out + TLS_RECORD_HEAD, nonce);
	bool is_good = tls_aead_start(aead, r->cipher, nonce, NULL, about,
	                       make_about(r, out, plain, about)) &&
	               (len <= COPIED_MAX ? encrypt_copied(r, v, n, inner, body)
	                                  : encrypt_pieces(r, v, n, inner, body)) &&
	               tls_aead_seal(aead, r->cipher, body + plain);
	r->n++;
	return is_good ? (size_t)(body - out) + plain + TLS_TAG : 0;
}

/* ---- opening ---- */

ssize_t tls_record_len(const struct tls_record *r, const uint8_t *head)
{
	size_t len = (size_t)head[3] << 8 | head[4];
	/* What says that it is protected is data, and its version means nothing (RFC 8446 5.2). */
	if (r->is_1_3 && head[0] != SSL3_RT_APPLICATION_DATA)
		return -SSL_AD_UNEXPECTED_MESSAGE;
	if (!r->is_1_3 && (head[1] != VERSION_MAJOR || head[2] != VERSION_MINOR))
		return -SSL_AD_PROTOCOL_VERSION;
	if (len > TLS_RECORD_BODY)
		return -SSL_AD_RECORD_OVERFLOW;
	if (len < (size_t)r->explicit_len + TLS_TAG + (r->is_1_3 ? 1 : 0))
		return -SSL_AD_DECODE_ERROR;
	return (ssize_t)(TLS_RECORD_HEAD + len);
}

/* RFC 8446 5.4: the last byte that is not zero is the type. */
static ssize_t strip(const uint8_t *at, size_t len, uint8_t *type)
{
	if (len > TLS_RECORD_DATA + 1)
		return -SSL_AD_RECORD_OVERFLOW;
	while (len > 0 && at[len - 1] == 0)
		len--;
	if (len == 0)
		return -SSL_AD_UNEXPECTED_MESSAGE;
	*type = at[len - 1];
	return (ssize_t)len - 1;
}

ssize_t tls_record_open(
        struct tls_record *r, const uint8_t *record, size_t len, uint8_t *out, uint8_t *type)
{
	uint8_t nonce[TLS_NONCE], about[ABOUT_1_2];
	const uint8_t *body = record + TLS_RECORD_HEAD + r->explicit_len;
	size_t plain = len - (size_t)(body - record) - TLS_TAG;
	const struct tls_aead *aead = &r->suite->aead;
	assert(!r->seals && len >= TLS_RECORD_HEAD + (size_t)r->explicit_len + TLS_TAG);
	make_nonce(r, record + TLS_RECORD_HEAD, nonce);
	if (!tls_aead_start(aead, r->cipher, nonce, body + plain, about,
	            make_about(r, record, plain, about)) ||
	        !cipher(r, body, plain, out) || !tls_aead_open(aead, r->cipher))
		return -SSL_AD_BAD_RECORD_MAC;
	r->n++;
	if (r->is_1_3)
		return strip(out, plain, type);
	*type = record[0];
	return plain <= TLS_RECORD_DATA ? (ssize_t)plain : -SSL_AD_RECORD_OVERFLOW;
}
