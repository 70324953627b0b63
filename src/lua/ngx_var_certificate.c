/* SPDX-License-Identifier: BSD-2-Clause */

/* Variables of what the client's verified certificate says: made of its DER when they are asked
 * for. */

#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/ngx_var.h"
#include "lua/uri_args.h"
#include "lua/values.h"
#include "net/tls_stream.h"

#include <lauxlib.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* False: there is none, or no memory. */
static bool print(BIO *out, struct lua_client *c, ngx_var_print_fn fn)
{
	struct tls_info tls;
	const struct stream *s = handler_stream(c->session);
	if (!s || !tls_describe(s, &tls) || tls.certificate.len == 0)
		return false;
	const unsigned char *at = tls.certificate.at;
	X509 *x = d2i_X509(NULL, &at, (long)tls.certificate.len);
	bool is_ok = x && fn(out, x);
	X509_free(x);
	return is_ok;
}

static int push_text(lua_State *L)
{
	lua_push_slice(L, *(const struct slice *)lua_touserdata(L, 1));
	return 1;
}

/* Lua may throw for want of memory: nothing of OpenSSL's is held meanwhile, but within the call. */
void ngx_var_push_printed(lua_State *L, struct lua_client *c, ngx_var_print_fn fn)
{
	char *text;
	struct slice v;
	lua_pushcfunction(L, push_text);
	lua_pushlightuserdata(L, &v);
	BIO *out = BIO_new(BIO_s_mem());
	bool is_ok = out && print(out, c, fn);
	ERR_clear_error();
	if (!is_ok) {
		BIO_free(out);
		lua_pop(L, 2);
		return;
	}
	long len = BIO_get_mem_data(out, &text);
	v = slice_of(text, (size_t)len);
	int failed = lua_pcall(L, 1, 1, 0);
	BIO_free(out);
	if (failed)
		lua_error(L);
}

static bool print_pem(BIO *out, X509 *x)
{
	return PEM_write_bio_X509(out, x) == 1;
}

static bool print_serial(BIO *out, X509 *x)
{
	return i2a_ASN1_INTEGER(out, X509_get0_serialNumber(x)) > 0;
}

static bool print_fingerprint(BIO *out, X509 *x)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	if (!X509_digest(x, EVP_sha1(), digest, &len))
		return false;
	for (unsigned i = 0; i < len; i++)
		if (BIO_printf(out, "%02x", digest[i]) != 2)
			return false;
	return true;
}

static bool print_start(BIO *out, X509 *x)
{
	return ASN1_TIME_print(out, X509_get0_notBefore(x)) == 1;
}

static bool print_end(BIO *out, X509 *x)
{
	return ASN1_TIME_print(out, X509_get0_notAfter(x)) == 1;
}

/* Whole days; none when it has expired since it was verified. */
static bool print_remain(BIO *out, X509 *x)
{
	int days, seconds;
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
		return false;
	return BIO_printf(out, "%d", days > 0 ? days : 0) > 0;
}

/* Of no name there is none. */
static bool print_oneline(BIO *out, X509_NAME *name)
{
	if (X509_NAME_entry_count(name) == 0)
		return false;
	char *text = X509_NAME_oneline(name, NULL, 0);
	bool is_ok = text && BIO_puts(out, text) >= 0;
	OPENSSL_free(text);
	return is_ok;
}

static bool print_subject(BIO *out, X509 *x)
{
	return print_oneline(out, X509_get_subject_name(x));
}

static bool print_issuer(BIO *out, X509 *x)
{
	return print_oneline(out, X509_get_issuer_name(x));
}

/* For a header of old: its lines go on with a tab, and the last has no end. */
static void push_cert(lua_State *L, struct lua_client *c)
{
	int top = lua_gettop(L);
	ngx_var_push_printed(L, c, print_pem);
	if (lua_gettop(L) == top)
		return;
	size_t len;
	const char *pem = lua_tolstring(L, -1, &len);
	lua_pushlstring(L, pem, len > 0 ? len - 1 : 0);
	luaL_gsub(L, lua_tostring(L, -1), "\n", "\n\t");
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
}

static void push_escaped_cert(lua_State *L, struct lua_client *c)
{
	int top = lua_gettop(L);
	ngx_var_push_printed(L, c, print_pem);
	if (lua_gettop(L) == top)
		return;
	struct slice pem;
	pem.at = (const uint8_t *)lua_tolstring(L, -1, &pem.len);
	size_t len = uri_escaped_len(pem, URI_COMPONENT);
	uri_escape(lua_newuserdata(L, len), pem, URI_COMPONENT);
	lua_pushlstring(L, lua_touserdata(L, -1), len);
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
}

static const struct ngx_var variables[] = {
        {"ssl_client_cert", .push = push_cert},
        {"ssl_client_escaped_cert", .push = push_escaped_cert},
        {"ssl_client_fingerprint", .print = print_fingerprint},
        {"ssl_client_i_dn_legacy", .print = print_issuer},
        {"ssl_client_raw_cert", .print = print_pem},
        {"ssl_client_s_dn_legacy", .print = print_subject},
        {"ssl_client_serial", .print = print_serial},
        {"ssl_client_v_end", .print = print_end},
        {"ssl_client_v_remain", .print = print_remain},
        {"ssl_client_v_start", .print = print_start},
};
const struct ngx_var_table ngx_var_certificate = {
        variables, sizeof variables / sizeof variables[0]};
