/* SPDX-License-Identifier: BSD-2-Clause */

/* Beside the same by EVP. _i: one of `kinds`. */

#include "net/tls_aead.h"

#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
	const char *name, *also;
	size_t key_len;
} kinds[] = {{"AES-128-GCM", "id-aes128-GCM", 16}, {"AES-256-GCM", "id-aes256-gcm", 32},
        {"ChaCha20-Poly1305", "chacha20-poly1305", 32}};
enum { KINDS = sizeof kinds / sizeof kinds[0], ABOUT = 13, LEN_MAX = 700 };

static struct tls_aead aead;
static void *sealer, *opener;
static uint8_t key[32], nonce[TLS_NONCE], about[ABOUT], plain[LEN_MAX];

static void setup(void)
{
	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(key, plain + 100, sizeof key);
	memcpy(nonce, plain + 200, sizeof nonce);
	memcpy(about, plain + 300, sizeof about);
}

static void begin(int i)
{
	ck_assert(tls_aead_find(&aead, kinds[i].name));
	sealer = tls_aead_new(&aead, key, kinds[i].key_len, true);
	opener = tls_aead_new(&aead, key, kinds[i].key_len, false);
	ck_assert(sealer && opener);
}

static void teardown(void)
{
	if (!aead.fetched)
		return;
	tls_aead_free(&aead, sealer);
	tls_aead_free(&aead, opener);
	EVP_CIPHER_free(aead.fetched);
	aead.fetched = NULL;
	ck_assert_uint_eq(ERR_peek_error(), 0);
}

/* The caller frees it. */
static uint8_t *by_evp(size_t about_len, size_t len, uint8_t tag[TLS_TAG])
{
	int done;
	uint8_t *out = malloc(len + 1);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	ck_assert(EVP_EncryptInit_ex(c, aead.fetched, NULL, key, nonce));
	ck_assert(EVP_EncryptUpdate(c, NULL, &done, about, (int)about_len));
	ck_assert(len == 0 || EVP_EncryptUpdate(c, out, &done, plain, (int)len));
	ck_assert(EVP_EncryptFinal_ex(c, out + len, &done));
	ck_assert(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TLS_TAG, tag) > 0);
	EVP_CIPHER_CTX_free(c);
	return out;
}

static bool opens(const uint8_t *sealed, size_t len, const uint8_t *tag, size_t about_len)
{
	uint8_t *out = malloc(len > 0 ? len : 1);
	bool is_good = tls_aead_start(&aead, opener, nonce, tag, about, about_len) &&
	               tls_aead_pass(&aead, opener, sealed, len, out) &&
	               tls_aead_open(&aead, opener);
	if (is_good && len > 0)
		ck_assert_mem_eq(out, plain, len);
	free(out);
	ERR_clear_error();
	return is_good;
}

/* In one piece and in two, at every border. */
static void seals_as(const uint8_t *sealed, size_t len, const uint8_t *tag, size_t about_len)
{
	uint8_t *out = malloc(len + 1), own[TLS_TAG];
	for (size_t cut = 0; cut <= len; cut++) {
		ck_assert(tls_aead_start(&aead, sealer, nonce, NULL, about, about_len));
		ck_assert(tls_aead_pass(&aead, sealer, plain, cut, out));
		ck_assert(tls_aead_pass(&aead, sealer, plain + cut, len - cut, out + cut));
		ck_assert(tls_aead_seal(&aead, sealer, own));
		ck_assert_mem_eq(own, tag, TLS_TAG);
		if (len > 0)
			ck_assert_mem_eq(out, sealed, len);
	}
	free(out);
}

START_TEST(as_evp_does)
{
	static const size_t lengths[] = {0, 1, 15, 16, 17, 100, LEN_MAX};
	begin(_i);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		size_t len = lengths[i], about_len = i % 2 ? 5 : ABOUT;
		uint8_t tag[TLS_TAG], *sealed = by_evp(about_len, len, tag);
		seals_as(sealed, len, tag, about_len);
		ck_assert(opens(sealed, len, tag, about_len));
		nonce[TLS_NONCE - 1]++;
		free(sealed);
	}
}
END_TEST

/* Each bit of the tag counts, and of what it is made of; and the next is none the worse. */
START_TEST(T_01_forged)
{
	enum { LEN = 40 };
	uint8_t tag[TLS_TAG];
	begin(_i);
	uint8_t *sealed = by_evp(ABOUT, LEN, tag);
	for (size_t bit = 0; bit < 8 * TLS_TAG; bit++) {
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!opens(sealed, LEN, tag, ABOUT));
		tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(opens(sealed, LEN, tag, ABOUT));
	}
	for (size_t i = 0; i < LEN; i++) {
		sealed[i] ^= 4;
		ck_assert(!opens(sealed, LEN, tag, ABOUT));
		sealed[i] ^= 4;
	}
	nonce[0] ^= 1;
	ck_assert(!opens(sealed, LEN, tag, ABOUT));
	nonce[0] ^= 1;
	ck_assert(!opens(sealed, LEN, tag, ABOUT - 1));
	ck_assert(!opens(sealed, LEN - 1, tag, ABOUT));
	ck_assert(opens(sealed, LEN, tag, ABOUT));
	free(sealed);
}
END_TEST

START_TEST(another_key)
{
	uint8_t tag[TLS_TAG];
	begin(_i);
	key[0] ^= 1;
	uint8_t *sealed = by_evp(ABOUT, LEN_MAX, tag);
	ck_assert(!opens(sealed, LEN_MAX, tag, ABOUT));
	ck_assert(tls_aead_rekey(&aead, opener, key, kinds[_i].key_len, false));
	ck_assert(tls_aead_rekey(&aead, sealer, key, kinds[_i].key_len, true));
	ck_assert(opens(sealed, LEN_MAX, tag, ABOUT));
	seals_as(sealed, LEN_MAX, tag, ABOUT);
	free(sealed);
}
END_TEST

START_TEST(a_key_of_a_wrong_length)
{
	begin(_i);
	ck_assert_ptr_null(tls_aead_new(&aead, key, kinds[_i].key_len - 1, true));
	ERR_clear_error();
}
END_TEST

START_TEST(names)
{
	ck_assert(tls_aead_find(&aead, kinds[_i].also));
	EVP_CIPHER_free(aead.fetched);
	ck_assert(!tls_aead_find(&aead, "AES-128"));
	ck_assert_ptr_null(aead.fetched);
	ERR_clear_error();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/tls_aead");
	TCase *t = tcase_create("tls_aead");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, as_evp_does, 0, KINDS);
	tcase_add_loop_test(t, T_01_forged, 0, KINDS);
	tcase_add_loop_test(t, another_key, 0, KINDS);
	tcase_add_loop_test(t, a_key_of_a_wrong_length, 0, KINDS);
	tcase_add_loop_test(t, names, 0, KINDS);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
