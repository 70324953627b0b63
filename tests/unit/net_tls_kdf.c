/* SPDX-License-Identifier: BSD-2-Clause */

/* The key derivation of TLS 1.3 beside OpenSSL's own. */

#include "net/tls_kdf.h"

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

static EVP_KDF *ours, *theirs;

static void setup(void)
{
	ck_assert_str_eq(tls_kdf_properties(), "?provider=moongate");
	ours = EVP_KDF_fetch(NULL, "TLS13-KDF", tls_kdf_properties());
	theirs = EVP_KDF_fetch(NULL, "TLS13-KDF", "provider=default");
	ck_assert_ptr_nonnull(ours);
	ck_assert_ptr_nonnull(theirs);
	ck_assert_ptr_ne(ours, theirs);
}

static void teardown(void)
{
	EVP_KDF_free(ours);
	EVP_KDF_free(theirs);
	tls_kdf_watch(NULL, NULL);
	ERR_clear_error();
}

/* What may be given; a length of -1: it is not. */
struct ask {
	int mode;
	const char *digest;
	int key, salt, prefix, label, data;
	size_t out;
};

static uint8_t *bytes(int len, unsigned seed)
{
	uint8_t *b = malloc(len > 0 ? (size_t)len : 1);
	for (int i = 0; i < len; i++)
		b[i] = (uint8_t)(seed * 31 + (unsigned)i * 7);
	return b;
}

static bool derive(EVP_KDF *kdf, const struct ask *a, bool by_params, uint8_t *out)
{
	static const char *const names[] = {"key", "salt", "prefix", "label", "data"};
	const int len[] = {a->key, a->salt, a->prefix, a->label, a->data};
	uint8_t *owned[5];
	OSSL_PARAM params[8], *p = params;
	int mode = a->mode;
	*p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*p++ = OSSL_PARAM_construct_utf8_string(
	        OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)a->digest, 0);
	for (unsigned i = 0; i < 5; i++) {
		owned[i] = bytes(len[i], i + 1);
		if (len[i] >= 0)
			*p++ = OSSL_PARAM_construct_octet_string(
			        names[i], owned[i], (size_t)len[i]);
	}
	*p = OSSL_PARAM_construct_end();
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(kdf);
	memset(out, 0xaa, a->out);
	bool is_done = by_params ? EVP_KDF_CTX_set_params(c, params) > 0 &&
	                                   EVP_KDF_derive(c, out, a->out, NULL) > 0
	                         : EVP_KDF_derive(c, out, a->out, params) > 0;
	EVP_KDF_CTX_free(c);
	for (int i = 0; i < 5; i++)
		free(owned[i]);
	return is_done;
}

static void is_the_same(const struct ask *a)
{
	uint8_t *one = malloc(a->out), *two = malloc(a->out);
	for (int by_params = 0; by_params < 2; by_params++) {
		bool is_done = derive(theirs, a, by_params, two);
		ck_assert_int_eq(derive(ours, a, by_params, one), is_done);
		if (is_done)
			ck_assert_mem_eq(one, two, a->out);
	}
	free(one);
	free(two);
}

enum { EXPAND = EVP_KDF_HKDF_MODE_EXPAND_ONLY, EXTRACT = EVP_KDF_HKDF_MODE_EXTRACT_ONLY };
static const struct {
	const char *name;
	int size;
} hashes[] = {{"SHA256", 32}, {"SHA2-256", 32}, {"sha384", 48}, {"SHA2-384", 48}};

START_TEST(what_tls_asks_for)
{
	int size = hashes[_i].size;
	for (int label = 1; label < 20; label++)
		for (int data = -1; data < 49; data += 16)
			for (size_t out = 1; out <= (size_t)size; out += 11)
				is_the_same(&(struct ask){
				        EXPAND, hashes[_i].name, size, -1, 6, label, data, out});
	for (int key = 0; key < 80; key += 16)
		for (int salt = -1; salt <= size; salt += size + 1)
			is_the_same(&(struct ask){EXTRACT, hashes[_i].name, key ? key : -1, salt, 6,
			        7, -1, (size_t)size});
}
END_TEST

/* Which OpenSSL's own does, or refuses. */
START_TEST(what_nobody_asks_for)
{
	static const struct ask asks[] = {{EXPAND, "SHA512", 64, -1, 6, 3, -1, 64},
	        {EXPAND, "SHA256", 33, -1, 6, 3, -1, 32}, {EXPAND, "SHA256", 0, -1, 6, 3, -1, 32},
	        {EXPAND, "SHA256", -1, -1, 6, 3, -1, 32}, {EXPAND, "SHA256", 32, -1, -1, 3, -1, 32},
	        {EXPAND, "SHA256", 32, -1, 6, -1, -1, 32}, {EXPAND, "SHA256", 32, -1, 6, 3, -1, 33},
	        {EXPAND, "SHA256", 32, -1, 6, 3, -1, 200},
	        {EXPAND, "SHA256", 32, -1, 6, 250, 3, 32},
	        {EXPAND, "SHA256", 32, -1, 6, 3, 256, 32},
	        {EXTRACT, "SHA256", 300, 32, 6, 3, -1, 32},
	        {EXTRACT, "SHA256", 32, 32, 6, 3, -1, 31},
	        {EXTRACT, "SHA256", 32, 32, -1, 3, -1, 32},
	        {EXTRACT, "SHA256", 32, 32, 6, -1, -1, 32},
	        {EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, "SHA256", 32, 32, 6, 3, -1, 32},
	        {77, "SHA256", 32, 32, 6, 3, -1, 32}};
	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++)
		is_the_same(&asks[i]);
}
END_TEST

/* Parameters that were set before count with those that are given. */
START_TEST(parameters_in_two_steps)
{
	uint8_t out[2][32], key[32] = {1};
	for (int i = 0; i < 2; i++) {
		int mode = EXPAND;
		OSSL_PARAM first[] = {OSSL_PARAM_construct_int("mode", &mode),
		        OSSL_PARAM_construct_octet_string("key", key, sizeof key),
		        OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
		        OSSL_PARAM_construct_end()};
		OSSL_PARAM then[] = {
		        OSSL_PARAM_construct_octet_string("prefix", (char[]){"tls13 "}, 6),
		        OSSL_PARAM_construct_octet_string("label", (char[]){"key"}, 3),
		        OSSL_PARAM_construct_end()};
		EVP_KDF_CTX *c = EVP_KDF_CTX_new(i ? ours : theirs);
		ck_assert_int_gt(EVP_KDF_CTX_set_params(c, first), 0);
		ck_assert_int_gt(EVP_KDF_derive(c, out[i], sizeof out[i], then), 0);
		EVP_KDF_CTX_reset(c);
		ck_assert_int_le(EVP_KDF_derive(c, out[i], 0, then), 0);
		EVP_KDF_CTX_free(c);
	}
	ck_assert_mem_eq(out[0], out[1], sizeof out[0]);
}
END_TEST

static struct {
	unsigned n;
	uint8_t label[20], secret[48];
	size_t label_len, len;
} seen;

static void on_secret(
        void *arg, const uint8_t *label, size_t label_len, const uint8_t *secret, size_t len)
{
	ck_assert_ptr_eq(arg, &seen);
	seen.n++;
	memcpy(seen.label, label, seen.label_len = label_len);
	memcpy(seen.secret, secret, seen.len = len);
}

START_TEST(secrets_are_shown)
{
	struct ask a = {EXPAND, "SHA256", 32, -1, 6, 12, 32, 32};
	uint8_t out[32], *label = bytes(12, 4);
	tls_kdf_watch(on_secret, &seen);
	ck_assert(derive(ours, &a, false, out));
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.len, 32);
	ck_assert_mem_eq(seen.secret, out, 32);
	ck_assert_uint_eq(seen.label_len, 12);
	ck_assert_mem_eq(seen.label, label, 12);
	tls_kdf_watch(NULL, NULL);
	ck_assert(derive(ours, &a, false, out));
	ck_assert_uint_eq(seen.n, 1);
	free(label);
}
END_TEST

/* Everything else of OpenSSL's is where it was. */
START_TEST(nothing_else_changes)
{
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", tls_kdf_properties());
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", tls_kdf_properties());
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	ck_assert(md && cipher && hkdf);
	EVP_MD_free(md);
	EVP_CIPHER_free(cipher);
	EVP_KDF_free(hkdf);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net/tls_kdf");
	TCase *t = tcase_create("tls_kdf");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, what_tls_asks_for, 0, sizeof hashes / sizeof hashes[0]);
	tcase_add_test(t, what_nobody_asks_for);
	tcase_add_test(t, parameters_in_two_steps);
	tcase_add_test(t, secrets_are_shown);
	tcase_add_test(t, nothing_else_changes);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
