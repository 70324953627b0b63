/* SPDX-License-Identifier: BSD-2-Clause */

/* Keys and records, without a connection. _i: one of `kinds`. */

#include "net/tls_record.h"

#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>

static const struct kind {
	const char *cipher;
	bool is_1_3;
} kinds[] = {{"TLS_AES_128_GCM_SHA256", true}, {"TLS_AES_256_GCM_SHA384", true},
        {"TLS_CHACHA20_POLY1305_SHA256", true}, {"ECDHE-RSA-AES128-GCM-SHA256", false},
        {"ECDHE-RSA-AES256-GCM-SHA384", false}, {"ECDHE-RSA-CHACHA20-POLY1305", false}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static SSL_CTX *context;
static const struct tls_suite *suite;
static struct tls_record writer, reader;
static uint8_t big[TLS_RECORD_DATA];

static const struct tls_suite *suite_of(const char *name)
{
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(context);
	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
		if (strcmp(SSL_CIPHER_get_name(c), name) == 0)
			return tls_suite_of(c);
	}
	ck_abort_msg("%s", name);
	return NULL;
}

static void setup(void)
{
	context = SSL_CTX_new(TLS_method());
	ck_assert(SSL_CTX_set_ciphersuites(context,
	        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
	        "TLS_AES_128_CCM_SHA256"));
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 11 + i / 256);
}

static void teardown(void)
{
	tls_record_fini(&writer);
	tls_record_fini(&reader);
	SSL_CTX_free(context);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

static struct tls_key first_key;

static void begin(int i, uint64_t n)
{
	for (size_t k = 0; k < sizeof first_key; k++)
		((uint8_t *)&first_key)[k] = (uint8_t)(k * 5 + 1);
	suite = suite_of(kinds[i].cipher);
	tls_record_fini(&writer);
	tls_record_fini(&reader);
	ck_assert(tls_record_init(&writer, suite, &first_key, kinds[i].is_1_3, true, n));
	ck_assert(tls_record_init(&reader, suite, &first_key, kinds[i].is_1_3, false, n));
}

/* By OpenSSL alone, in place; the tag goes behind it. */
static void protect(const uint8_t *nonce, const uint8_t *aad, int aad_len, uint8_t *at, size_t len)
{
	int done;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	ck_assert(EVP_EncryptInit_ex(c, suite->aead.fetched, NULL, first_key.key, nonce));
	ck_assert(EVP_EncryptUpdate(c, NULL, &done, aad, aad_len));
	ck_assert(EVP_EncryptUpdate(c, at, &done, at, (int)len));
	ck_assert(EVP_EncryptFinal_ex(c, at + len, &done));
	ck_assert(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, at + len));
	EVP_CIPHER_CTX_free(c);
}

/* Of the exact size, so that AddressSanitizer sees what goes beyond; the caller frees it. */
static uint8_t *seal(uint8_t type, const struct slice *v, size_t n, size_t len, size_t *size)
{
	*size = len + tls_record_overhead(&writer);
	uint8_t *out = malloc(*size);
	ck_assert_uint_eq(tls_record_seal(&writer, type, v, n, out), *size);
	return out;
}

static uint8_t *seal_bytes(uint8_t type, const void *at, size_t len, size_t *size)
{
	struct slice v = slice_of(at, len);
	return seal(type, &v, 1, len, size);
}

static ssize_t open_record(const uint8_t *record, size_t size, uint8_t **content, uint8_t *type)
{
	*content = malloc(size);
	ssize_t len = tls_record_open(&reader, record, size, *content, type);
	ERR_clear_error();
	return len;
}

static void opens_as(const uint8_t *record, size_t size, uint8_t type, const void *at, size_t len)
{
	uint8_t *content, got = 0;
	ck_assert_int_eq(tls_record_len(&reader, record), (ssize_t)size);
	ck_assert_int_eq(open_record(record, size, &content, &got), (ssize_t)len);
	ck_assert_uint_eq(got, type);
	if (len > 0)
		ck_assert_mem_eq(content, at, len);
	free(content);
}

static void opens_not(const uint8_t *record, size_t size, int alert)
{
	uint8_t *content, type;
	ck_assert_int_eq(open_record(record, size, &content, &type), -alert);
	free(content);
}

/* ---- keys ---- */

/* RFC 8448 3: the server's handshake keys. */
START_TEST(keys_of_a_secret)
{
	static const uint8_t secret[32] = {0xb6, 0x7b, 0x7d, 0x69, 0x0c, 0xc1, 0x6c, 0x4e, 0x75,
	        0xe5, 0x42, 0x13, 0xcb, 0x2d, 0x37, 0xb4, 0xe9, 0xc9, 0x12, 0xbc, 0xde, 0xd9, 0x10,
	        0x5d, 0x42, 0xbe, 0xfd, 0x59, 0xd3, 0x91, 0xad, 0x38};
	static const uint8_t key[16] = {0x3f, 0xce, 0x51, 0x60, 0x09, 0xc2, 0x17, 0x27, 0xd0, 0xf2,
	        0xe4, 0xe8, 0x6e, 0xe4, 0x03, 0xbc};
	static const uint8_t nonce[12] = {
	        0x5d, 0x31, 0x3e, 0xb2, 0x67, 0x12, 0x76, 0xee, 0x13, 0x00, 0x0b, 0x30};
	struct tls_key got;
	ck_assert(tls_key_of_secret(suite_of(kinds[0].cipher), secret, &got));
	ck_assert_mem_eq(got.key, key, sizeof key);
	ck_assert_mem_eq(got.nonce, nonce, sizeof nonce);
}
END_TEST

START_TEST(secrets_follow_each_other)
{
	uint8_t secret[TLS_SECRET_MAX] = {1}, before[TLS_SECRET_MAX];
	struct tls_key a, b;
	suite = suite_of(kinds[_i].cipher);
	ck_assert(tls_key_of_secret(suite, secret, &a));
	memcpy(before, secret, sizeof before);
	ck_assert(tls_secret_next(suite, secret));
	ck_assert_mem_ne(before, secret, suite->hash_len);
	ck_assert(tls_key_of_secret(suite, secret, &b));
	ck_assert_mem_ne(a.key, b.key, suite->key_len);
	ck_assert_mem_ne(a.nonce, b.nonce, TLS_NONCE);
}
END_TEST

START_TEST(other_ciphers_are_not_ours)
{
	ck_assert_ptr_null(suite_of("TLS_AES_128_CCM_SHA256"));
	ck_assert_ptr_null(suite_of("ECDHE-RSA-AES128-SHA256"));
	ck_assert_ptr_null(suite_of("ECDHE-RSA-AES128-SHA"));
	ck_assert_ptr_null(tls_suite_of(NULL));
}
END_TEST

/* ---- both ways ---- */

START_TEST(every_size)
{
	static const size_t sizes[] = {
	        0, 1, 15, 16, 17, 31, 32, 255, 1023, 1024, 1025, 4095, 16383, TLS_RECORD_DATA};
	begin(_i, 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t size;
		uint8_t *record = seal_bytes(SSL3_RT_APPLICATION_DATA, big, sizes[i], &size);
		opens_as(record, size, SSL3_RT_APPLICATION_DATA, big, sizes[i]);
		free(record);
	}
}
END_TEST

/* As one or as many, empty ones among them, copied or not. */
START_TEST(pieces_make_one_record)
{
	static const size_t steps[] = {1, 7, 16, 100, 1000};
	begin(_i, 5);
	for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++)
		for (size_t len = 60; len <= 2000; len += 970) {
			struct slice v[64];
			size_t n = 0, size;
			for (size_t at = 0; at < len; n++) {
				size_t take = n % 3 == 2 ? 0 : n == 61 ? len - at : steps[s];
				take = take < len - at ? take : len - at;
				v[n] = slice_of(big + at, take);
				at += take;
			}
			uint8_t *record = seal(SSL3_RT_APPLICATION_DATA, v, n, len, &size);
			opens_as(record, size, SSL3_RT_APPLICATION_DATA, big, len);
			free(record);
		}
}
END_TEST

START_TEST(every_type)
{
	begin(_i, UINT64_C(1) << 33);
	for (unsigned type = 1; type < 256; type++) {
		size_t size;
		uint8_t *record = seal_bytes((uint8_t)type, "x", 1, &size);
		ck_assert_uint_eq(record[0], kinds[_i].is_1_3 ? 23 : type);
		opens_as(record, size, (uint8_t)type, "x", 1);
		free(record);
	}
}
END_TEST

START_TEST(no_two_records_are_alike)
{
	size_t size;
	begin(_i, 0);
	uint8_t *a = seal_bytes(23, "same", 4, &size), *b = seal_bytes(23, "same", 4, &size);
	ck_assert_mem_ne(a + size - 20, b + size - 20, 20);
	/* Nor is one opened out of its turn, or twice. */
	opens_not(b, size, SSL_AD_BAD_RECORD_MAC);
	opens_as(a, size, 23, "same", 4);
	opens_not(a, size, SSL_AD_BAD_RECORD_MAC);
	opens_as(b, size, 23, "same", 4);
	free(a);
	free(b);
}
END_TEST

START_TEST(once_more)
{
	size_t size;
	begin(_i, 3);
	uint8_t *record = seal_bytes(23, "again", 5, &size);
	for (int i = 0; i < 3; i++) {
		opens_as(record, size, 23, "again", 5);
		tls_record_again(&reader);
	}
	opens_as(record, size, 23, "again", 5);
	free(record);
}
END_TEST

START_TEST(another_key)
{
	struct tls_key key = {.key = {9}, .nonce = {8}};
	size_t size;
	begin(_i, 1000);
	ck_assert(tls_record_rekey(&writer, &key));
	uint8_t *record = seal_bytes(23, "new", 3, &size);
	opens_not(record, size, SSL_AD_BAD_RECORD_MAC);
	ck_assert(tls_record_rekey(&reader, &key));
	opens_as(record, size, 23, "new", 3);
	free(record);
}
END_TEST

/* ---- what is wrong ---- */

/* Every bit counts; but for TLS 1.3 the version means nothing, though it is authenticated. */
START_TEST(T_01_every_bit)
{
	size_t size;
	begin(_i, 7);
	uint8_t *record = seal_bytes(23, "twenty bytes of data", 20, &size);
	for (size_t bit = 0; bit < size * 8; bit++) {
		record[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (tls_record_len(&reader, record) == (ssize_t)size)
			opens_not(record, size, SSL_AD_BAD_RECORD_MAC);
		record[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	opens_as(record, size, 23, "twenty bytes of data", 20);
	free(record);
}
END_TEST

static ssize_t len_of(uint8_t type, uint8_t major, uint8_t minor, size_t len)
{
	uint8_t *head = malloc(TLS_RECORD_HEAD);
	memcpy(head, (uint8_t[]){type, major, minor, (uint8_t)(len >> 8), (uint8_t)len}, 5);
	ssize_t n = tls_record_len(&reader, head);
	free(head);
	return n;
}

START_TEST(T_01_heads)
{
	begin(_i, 0);
	size_t least = tls_record_overhead(&reader) - TLS_RECORD_HEAD;
	bool is_1_3 = kinds[_i].is_1_3;
	ck_assert_int_eq(len_of(23, 3, 3, least), (ssize_t)least + 5);
	ck_assert_int_eq(len_of(23, 3, 3, least - 1), -SSL_AD_DECODE_ERROR);
	ck_assert_int_eq(len_of(23, 3, 3, 0), -SSL_AD_DECODE_ERROR);
	ck_assert_int_eq(len_of(23, 3, 3, TLS_RECORD_BODY), TLS_RECORD_MAX);
	ck_assert_int_eq(len_of(23, 3, 3, TLS_RECORD_BODY + 1), -SSL_AD_RECORD_OVERFLOW);
	ck_assert_int_eq(len_of(23, 3, 3, 65535), -SSL_AD_RECORD_OVERFLOW);
	for (unsigned type = 0; type < 256; type++)
		ck_assert_int_eq(len_of((uint8_t)type, 3, 3, 100),
		        is_1_3 && type != 23 ? -SSL_AD_UNEXPECTED_MESSAGE : 105);
	ck_assert_int_eq(len_of(23, 3, 1, 100), is_1_3 ? 105 : -SSL_AD_PROTOCOL_VERSION);
	ck_assert_int_eq(len_of(23, 2, 3, 100), is_1_3 ? 105 : -SSL_AD_PROTOCOL_VERSION);
}
END_TEST

/* A record with so many bytes of content, a type, and padding: as no writer of ours
 * would make it. */
static uint8_t *seal_inner(const uint8_t *inner, size_t len, size_t *size)
{
	uint8_t *record = malloc(len + 5 + TLS_TAG), nonce[TLS_NONCE];
	size_t body = len + TLS_TAG;
	memcpy(record, (uint8_t[]){23, 3, 3, (uint8_t)(body >> 8), (uint8_t)body}, 5);
	memcpy(nonce, writer.nonce, sizeof nonce);
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(writer.n >> 8 * i);
	writer.n++;
	memcpy(record + 5, inner, len);
	protect(nonce, record, 5, record + 5, len);
	*size = 5 + body;
	return record;
}

/* RFC 8446 5.4. */
START_TEST(padding)
{
	static const size_t pads[] = {0, 1, 2, 15, 16, 255, 1000, TLS_RECORD_DATA - 5};
	uint8_t *inner = calloc(1, TLS_RECORD_BODY);
	begin(_i, 0);
	memcpy(inner, "data\0\x17", 6);
	for (size_t i = 0; i < sizeof pads / sizeof pads[0]; i++) {
		size_t size;
		uint8_t *record = seal_inner(inner, 6 + pads[i], &size);
		opens_as(record, size, 23, "data\0", 5);
		free(record);
	}
	free(inner);
}
END_TEST

START_TEST(T_01_bad_insides)
{
	uint8_t *inner = calloc(1, TLS_RECORD_BODY), *record;
	size_t size;
	begin(_i, 0);
	for (size_t len = 1; len < 40; len += 19) {
		record = seal_inner(inner, len, &size); /* nothing but padding */
		opens_not(record, size, SSL_AD_UNEXPECTED_MESSAGE);
		free(record);
	}
	inner[0] = 23;
	record = seal_inner(inner, TLS_RECORD_DATA + 2, &size);
	opens_not(record, size, SSL_AD_RECORD_OVERFLOW);
	free(record);
	record = seal_inner(inner, TLS_RECORD_BODY - TLS_TAG, &size);
	opens_not(record, size, SSL_AD_RECORD_OVERFLOW);
	free(record);
	free(inner);
}
END_TEST

/* What TLS 1.2 may send is longer than what its content may be. */
START_TEST(T_01_content_too_long)
{
	uint8_t *record = malloc(TLS_RECORD_MAX);
	begin(_i, 0);
	size_t left = tls_record_overhead(&writer) - TLS_RECORD_HEAD;
	writer.is_1_3 = false;
	memcpy(record, (uint8_t[]){23, 3, 3, TLS_RECORD_BODY >> 8, TLS_RECORD_BODY & 255}, 5);
	ck_assert_int_eq(tls_record_len(&reader, record), TLS_RECORD_MAX);
	size_t len = TLS_RECORD_BODY - left;
	uint8_t nonce[TLS_NONCE], aad[13] = {0};
	memcpy(nonce, writer.nonce, sizeof nonce);
	if (writer.explicit_len > 0) {
		memset(record + 5, 0x55, 8);
		memset(nonce + 4, 0x55, 8);
	}
	memcpy(aad + 8, record, 3);
	aad[11] = (uint8_t)(len >> 8);
	aad[12] = (uint8_t)len;
	uint8_t *body = record + 5 + writer.explicit_len;
	memset(body, 'x', len);
	protect(nonce, aad, sizeof aad, body, len);
	opens_not(record, TLS_RECORD_MAX, SSL_AD_RECORD_OVERFLOW);
	free(record);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/tls_record");
	TCase *t = tcase_create("tls_record");
	enum { OF_1_3 = 3 };
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, keys_of_a_secret);
	tcase_add_loop_test(t, secrets_follow_each_other, 0, OF_1_3);
	tcase_add_test(t, other_ciphers_are_not_ours);
	tcase_add_loop_test(t, every_size, 0, KINDS);
	tcase_add_loop_test(t, pieces_make_one_record, 0, KINDS);
	tcase_add_loop_test(t, every_type, 0, KINDS);
	tcase_add_loop_test(t, no_two_records_are_alike, 0, KINDS);
	tcase_add_loop_test(t, once_more, 0, KINDS);
	tcase_add_loop_test(t, another_key, 0, KINDS);
	tcase_add_loop_test(t, T_01_every_bit, 0, KINDS);
	tcase_add_loop_test(t, T_01_heads, 0, KINDS);
	tcase_add_loop_test(t, padding, 0, OF_1_3);
	tcase_add_loop_test(t, T_01_bad_insides, 0, OF_1_3);
	tcase_add_loop_test(t, T_01_content_too_long, OF_1_3, KINDS);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
