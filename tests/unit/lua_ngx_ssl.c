/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_ssl.h"

#include "lua_rows.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* ---- a certificate and keys, as PEM in globals ---- */

static void set_pem(lua_State *L, const char *name, BIO *bio)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);

	lua_pushlstring(L, text, (size_t)len);
	lua_setglobal(L, name);
	BIO_free(bio);
}

static void set_key(lua_State *L, const char *name, EVP_PKEY *key, const char *phrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, key, phrase ? EVP_aes_128_cbc() : NULL,
	                         (const unsigned char *)phrase, phrase ? (int)strlen(phrase) : 0,
	                         NULL, NULL),
	        1);
	set_pem(L, name, bio);
}

static void set_cert(lua_State *L, const char *name, EVP_PKEY *key)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	        (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
	ck_assert_int_eq(PEM_write_bio_X509(bio, x), 1);
	set_pem(L, name, bio);
	X509_free(x);
}

static lua_State *new_vm(void)
{
	lua_State *L = lua_rows_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");

	ck_assert_ptr_nonnull(key);
	set_key(L, "KEY", key, NULL);
	set_key(L, "SECRET", key, "open");
	set_cert(L, "CERT", key);
	set_cert(L, "OTHER", key);
	EVP_PKEY_free(key);
	ngx_ssl_module(L);
	ck_assert_int_eq(lua_gettop(L), 2);
	lua_setglobal(L, "ssl");
	return L;
}

/* What ngx_lua 0.10.23 gives for each; there, a chain or key is a cdata. */
static const struct lua_row rows[] = {
        {"ssl.parse_pem_cert(CERT)", "cdata"},
        {"ssl.parse_pem_cert(CERT .. OTHER), ssl.parse_pem_cert(CERT .. 'junk'), "
         "ssl.parse_pem_cert('junk\\n' .. CERT)",
                "cdata, cdata, cdata"},
        {"ssl.parse_pem_cert('x')", "nil, 'PEM_read_bio_X509_AUX() failed'"},
        {"ssl.parse_pem_cert('')", "nil, 'PEM_read_bio_X509_AUX() failed'"},
        {"ssl.parse_pem_cert(KEY)", "nil, 'PEM_read_bio_X509_AUX() failed'"},
        {"ssl.parse_pem_cert(CERT:sub(1, 200))", "nil, 'PEM_read_bio_X509_AUX() failed'"},
        {"ssl.parse_pem_cert(CERT .. CERT:sub(1, 200))", "nil, 'PEM_read_bio_X509() failed'"},
        {"ssl.parse_pem_cert()",
                "! t:1: bad argument #1 to 'parse_pem_cert' (string expected, got no value)"},
        {"ssl.parse_pem_cert({})",
                "! t:1: bad argument #1 to 'parse_pem_cert' (string expected, got table)"},
        {"ssl.parse_pem_priv_key(KEY)", "cdata"},
        {"ssl.parse_pem_priv_key(SECRET)", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.parse_pem_priv_key(CERT)", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.parse_pem_priv_key('')", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.parse_pem_priv_key(KEY:sub(1, 100))", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.parse_pem_priv_key(nil)",
                "! t:1: bad argument #1 to 'parse_pem_priv_key' (string expected, got nil)"},
        {"ssl.cert_pem_to_der('x')", "nil, 'PEM_read_bio_X509_AUX() failed'"},
        {"#ssl.cert_pem_to_der(CERT .. OTHER) == #ssl.cert_pem_to_der(CERT) + "
         "#ssl.cert_pem_to_der(OTHER)",
                "true"},
        {"ssl.priv_key_pem_to_der('x')", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.priv_key_pem_to_der(SECRET)", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.priv_key_pem_to_der(SECRET, 'shut')", "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.priv_key_pem_to_der(SECRET, ('x'):rep(5000))",
                "nil, 'PEM_read_bio_PrivateKey() failed'"},
        {"ssl.priv_key_pem_to_der(SECRET, 'open') == ssl.priv_key_pem_to_der(KEY)", "true"},
        {"#ssl.priv_key_pem_to_der(KEY)", "121"},
        {"ssl.SSL3_VERSION, ssl.TLS1_VERSION, ssl.TLS1_1_VERSION, ssl.TLS1_2_VERSION, "
         "ssl.TLS1_3_VERSION",
                "768, 769, 770, 771, 772"},
};

/* Came later than 0.10.23. */
static const struct lua_row der[] = {
        {"ssl.parse_der_cert(ssl.cert_pem_to_der(CERT .. OTHER))", "cdata"},
        {"ssl.parse_der_cert('')", "nil, 'd2i_X509_bio() failed'"},
        {"ssl.parse_der_cert(CERT)", "nil, 'd2i_X509_bio() failed'"},
        {"ssl.parse_der_cert(ssl.cert_pem_to_der(CERT) .. 'x')", "nil, 'd2i_X509_bio() failed'"},
        {"ssl.parse_der_priv_key(ssl.priv_key_pem_to_der(KEY))", "cdata"},
        {"ssl.parse_der_priv_key('x')", "nil, 'd2i_PrivateKey_bio() failed'"},
        {"ssl.parse_der_priv_key(1)", "nil, 'd2i_PrivateKey_bio() failed'"},
};

START_TEST(results_and_errors_are_those_of_ngx_lua)
{
	lua_State *L = new_vm();

	lua_rows_run(L, rows, sizeof(rows) / sizeof(rows[0]));
	lua_rows_run(L, der, sizeof(der) / sizeof(der[0]));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	lua_close(L);
}
END_TEST

static void eval(lua_State *L, const char *text)
{
	ck_assert_int_eq(luaL_loadstring(L, text), 0);
	ck_assert_int_eq(lua_pcall(L, 0, 1, 0), 0);
}

START_TEST(chains_and_keys_are_handed_to_c)
{
	lua_State *L = new_vm();

	eval(L, "return ssl.parse_pem_cert(OTHER .. CERT)");
	eval(L, "return ssl.parse_pem_priv_key(KEY)");
	eval(L, "return newproxy(true)");
	lua_pushliteral(L, "text");
	STACK_OF(X509) *chain = ngx_ssl_chain_at(L, 2);
	EVP_PKEY *key = ngx_ssl_key_at(L, 3);
	ck_assert_int_eq(sk_X509_num(chain), 2);
	ck_assert_int_eq(X509_check_private_key(sk_X509_value(chain, 0), key), 1);
	for (int i = 1; i <= 6; i++) {
		ck_assert(i == 2 || !ngx_ssl_chain_at(L, i));
		ck_assert(i == 3 || !ngx_ssl_key_at(L, i));
	}
	ck_assert_int_eq(lua_gettop(L), 5);
	/* What C keeps outlives the value. */
	X509 *kept = sk_X509_value(chain, 0);
	X509_up_ref(kept);
	lua_close(L);
	ck_assert_ptr_nonnull(X509_get_subject_name(kept));
	X509_free(kept);
}
END_TEST

/* A script can neither free what C may use nor make a holder of its own. */
START_TEST(a_script_cannot_take_them_apart)
{
	static const struct lua_row tricks[] = {
	        {"getmetatable(ssl.parse_pem_cert(CERT)), "
	         "getmetatable(ssl.parse_pem_priv_key(KEY))",
	                "'ffi', 'ffi'"},
	        {"pcall(setmetatable, {}, getmetatable(ssl.parse_pem_cert(CERT)))",
	                "false, 'bad argument #2 to '?' (nil or table expected)'"},
	};
	lua_State *L = new_vm();

	lua_rows_run(L, tricks, sizeof(tricks) / sizeof(tricks[0]));
	lua_close(L);
}
END_TEST

/* Each beginning of what can be read, in a string of its own. */
START_TEST(no_text_is_read_past_its_end)
{
	static const struct lua_row cuts[] = {
	        {"local c, k = ssl.cert_pem_to_der(CERT), ssl.priv_key_pem_to_der(KEY) local n = 0 "
	         "for i = 0, #c - 1 do assert(not ssl.parse_der_cert(c:sub(1, i))) end "
	         "for i = 0, #k - 1 do assert(not ssl.parse_der_priv_key(k:sub(1, i))) end "
	         "for i = 0, #CERT - 30 do assert(not ssl.parse_pem_cert(CERT:sub(1, i))) end "
	         "for i = 0, #KEY - 30 do assert(not ssl.parse_pem_priv_key(KEY:sub(1, i))) end "
	         "return S()",
	                "-"},
	};
	lua_State *L = new_vm();

	lua_rows_run(L, cuts, 1);
	lua_close(L);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_ngx_ssl");
	TCase *tc = tcase_create("ssl");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, results_and_errors_are_those_of_ngx_lua);
	tcase_add_test(tc, chains_and_keys_are_handed_to_c);
	tcase_add_test(tc, a_script_cannot_take_them_apart);
	tcase_add_test(tc, no_text_is_read_past_its_end);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
