/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_ssl.h"

#include "base/slice.h"
#include "lua/finalizers.h"
#include "lua/ngx.h"

#include <lauxlib.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

/* A value is a pointer in a userdata. The addresses of these are the keys of their metatables in
 * the registry. */
static const char chain_key, pkey_key;

/* What scripts get is a cdata, as on ngx_lua, where some libraries ask for the type. Which userdata
 * is meant by it, a table with weak keys knows, which has the address of this as its key. */
static const char known_key;
enum { TYPE_CDATA = 10 }; /* lua_type() of it, for which LuaJIT's headers have no name */

static const char wrap_source[] = "local known = setmetatable({}, { __mode = 'k' })\n"
                                  "local kind = require('ffi').typeof 'struct { int unused; }'\n"
                                  "return known, function (held)\n"
                                  " local value = kind()\n"
                                  " known[value] = held\n"
                                  " return value\n"
                                  "end\n";

/* The table, and the function, if `function`, that puts a value into it. */
static void push_known(lua_State *L, bool function)
{
	lua_pushlightuserdata(L, (void *)&known_key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 2, 0);
		if (luaL_loadbuffer(L, wrap_source, sizeof(wrap_source) - 1, "=ngx.ssl"))
			lua_error(L);
		lua_call(L, 0, 2);
		lua_rawseti(L, -3, 2);
		lua_rawseti(L, -2, 1);
		lua_pushlightuserdata(L, (void *)&known_key);
		lua_pushvalue(L, -2);
		lua_rawset(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, -1, function ? 2 : 1);
	lua_remove(L, -2);
}

/* The userdata on top of the stack becomes the value that stands for it. */
static int give(lua_State *L)
{
	ERR_clear_error();
	push_known(L, true);
	lua_insert(L, -2);
	lua_call(L, 1, 1);
	return 1;
}

static void *holder_at(lua_State *L, int at, const char *key)
{
	void *found = NULL;

	if (lua_type(L, at) != TYPE_CDATA)
		return NULL;
	lua_pushvalue(L, at);
	push_known(L, false);
	lua_insert(L, -2);
	lua_rawget(L, -2);
	void **held = lua_touserdata(L, -1);
	if (held && lua_getmetatable(L, -1)) {
		lua_pushlightuserdata(L, (void *)key);
		lua_rawget(L, LUA_REGISTRYINDEX);
		if (!lua_isnil(L, -1) && lua_rawequal(L, -1, -2))
			found = *held;
		lua_pop(L, 2);
	}
	lua_pop(L, 2);
	return found;
}

STACK_OF(X509) * ngx_ssl_chain_at(lua_State *L, int at)
{
	return holder_at(L, at, &chain_key);
}

EVP_PKEY *ngx_ssl_key_at(lua_State *L, int at)
{
	return holder_at(L, at, &pkey_key);
}

static void chain_free(STACK_OF(X509) * chain)
{
	sk_X509_pop_free(chain, X509_free);
}

static int chain_gc(lua_State *L)
{
	void **held = lua_finalized(L, chain_gc, sizeof(*held));

	if (!held)
		return 0;
	chain_free(*held);
	*held = NULL;
	return 0;
}

static int key_gc(lua_State *L)
{
	void **held = lua_finalized(L, key_gc, sizeof(*held));

	if (!held)
		return 0;
	EVP_PKEY_free(*held);
	*held = NULL;
	return 0;
}

/* Pushes what will hold a chain or key, before there is one: an error of Lua's leaks nothing. */
static void **push_holder(lua_State *L, const char *key)
{
	void **held = lua_newuserdata(L, sizeof(*held));

	*held = NULL;
	lua_pushlightuserdata(L, (void *)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_setmetatable(L, -2);
	return held;
}

static int refuse(lua_State *L, const char *why)
{
	ERR_clear_error();
	lua_pushnil(L);
	lua_pushstring(L, why);
	return 2;
}

/* A text to be read; NULL without memory. */
static BIO *bio_at(lua_State *L, int at)
{
	size_t len;
	const char *text = luaL_checklstring(L, at, &len);

	luaL_argcheck(L, len <= INT_MAX, at, "too long");
	return BIO_new_mem_buf(text, (int)len);
}

/* ---- certificates ---- */

/* Reading ended: where nothing more begins, that is as it should be. */
static bool ended_well(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* NULL: *why says what failed. */
static STACK_OF(X509) * chain_of_pem(BIO *bio, const char **why)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *x = chain ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;

	*why = "PEM_read_bio_X509_AUX() failed";
	while (x && sk_X509_push(chain, x) > 0) {
		*why = "PEM_read_bio_X509() failed";
		x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	}
	X509_free(x); /* one that could not be pushed */
	if (chain && sk_X509_num(chain) > 0 && !x && ended_well())
		return chain;
	chain_free(chain);
	return NULL;
}

static STACK_OF(X509) * chain_of_der(BIO *bio, const char **why)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *x = NULL;

	*why = "d2i_X509_bio() failed";
	while (chain && (!BIO_eof(bio) || sk_X509_num(chain) == 0)) {
		x = d2i_X509_bio(bio, NULL);
		if (!x || sk_X509_push(chain, x) <= 0) {
			X509_free(x);
			chain_free(chain);
			return NULL;
		}
	}
	return chain;
}

static int parse_chain(lua_State *L, STACK_OF(X509) * (*parse)(BIO *, const char **))
{
	const char *why = "BIO_new_mem_buf() failed";
	luaL_checkstring(L, 1);
	void **held = push_holder(L, &chain_key);
	BIO *bio = bio_at(L, 1);

	if (bio)
		*held = parse(bio, &why);
	BIO_free(bio);
	if (!*held)
		return refuse(L, why);
	return give(L);
}

static int parse_pem_cert(lua_State *L)
{
	return parse_chain(L, chain_of_pem);
}

static int parse_der_cert(lua_State *L)
{
	return parse_chain(L, chain_of_der);
}

/* Concatenates the certificates as DER on Lua's stack. */
static void push_der(lua_State *L, STACK_OF(X509) * chain)
{
	size_t size = 0;

	for (int i = 0; i < sk_X509_num(chain); i++)
		size += (size_t)i2d_X509(sk_X509_value(chain, i), NULL);
	unsigned char *room = lua_newuserdata(L, size), *end = room;
	for (int i = 0; i < sk_X509_num(chain); i++)
		i2d_X509(sk_X509_value(chain, i), &end);
	lua_pushlstring(L, (const char *)room, size);
}

static int cert_pem_to_der(lua_State *L)
{
	if (parse_pem_cert(L) != 1)
		return 2;
	push_der(L, ngx_ssl_chain_at(L, -1));
	return 1;
}

/* ---- keys ---- */

/* The pass phrase, if there is one; nobody is asked on the terminal. */
static int pass_phrase(char *room, int size, int writing, void *given)
{
	const struct slice *phrase = given;

	(void)writing;
	if (!phrase->at || phrase->len > (size_t)size)
		return -1;
	memcpy(room, phrase->at, phrase->len);
	return (int)phrase->len;
}

static int parse_key(lua_State *L, bool pem, struct slice phrase)
{
	luaL_checkstring(L, 1);
	void **held = push_holder(L, &pkey_key);
	BIO *bio = bio_at(L, 1);

	if (bio && pem)
		*held = PEM_read_bio_PrivateKey(bio, NULL, pass_phrase, &phrase);
	else if (bio)
		*held = d2i_PrivateKey_bio(bio, NULL);
	BIO_free(bio);
	if (!*held)
		return refuse(L,
		        pem ? "PEM_read_bio_PrivateKey() failed" : "d2i_PrivateKey_bio() failed");
	return give(L);
}

static int parse_pem_priv_key(lua_State *L)
{
	return parse_key(L, true, slice_of(NULL, 0));
}

static int parse_der_priv_key(lua_State *L)
{
	return parse_key(L, false, slice_of(NULL, 0));
}

static int priv_key_pem_to_der(lua_State *L)
{
	size_t len = 0;
	const char *phrase = luaL_optlstring(L, 2, NULL, &len);

	if (parse_key(L, true, slice_of(phrase, len)) != 1)
		return 2;
	EVP_PKEY *key = ngx_ssl_key_at(L, -1);
	int size = i2d_PrivateKey(key, NULL);
	if (size <= 0)
		return refuse(L, "i2d_PrivateKey() failed");
	unsigned char *room = lua_newuserdata(L, (size_t)size), *end = room;
	if (i2d_PrivateKey(key, &end) != size)
		return refuse(L, "i2d_PrivateKey() failed");
	lua_pushlstring(L, (const char *)room, (size_t)size);
	OPENSSL_cleanse(room, (size_t)size);
	return 1;
}

static void set_meta(lua_State *L, const char *key, lua_CFunction gc)
{
	lua_pushlightuserdata(L, (void *)key);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, gc);
	lua_setfield(L, -2, "__gc");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable"); /* a script cannot free it early */
	lua_rawset(L, LUA_REGISTRYINDEX);
}

int ngx_ssl_module(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"parse_pem_cert", parse_pem_cert},
	        {"parse_pem_priv_key", parse_pem_priv_key},
	        {"parse_der_cert", parse_der_cert},
	        {"parse_der_priv_key", parse_der_priv_key},
	        {"cert_pem_to_der", cert_pem_to_der},
	        {"priv_key_pem_to_der", priv_key_pem_to_der},
	        {NULL, NULL},
	};
	static const struct {
		const char *name;
		int version;
	} versions[] = {
	        {"SSL3_VERSION", SSL3_VERSION},
	        {"TLS1_VERSION", TLS1_VERSION},
	        {"TLS1_1_VERSION", TLS1_1_VERSION},
	        {"TLS1_2_VERSION", TLS1_2_VERSION},
	        {"TLS1_3_VERSION", TLS1_3_VERSION},
	};

	set_meta(L, &chain_key, chain_gc);
	set_meta(L, &pkey_key, key_gc);
	lua_createtable(L, 0, 24);
	luaL_setfuncs(L, functions, 0);
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		lua_pushinteger(L, versions[i].version);
		lua_setfield(L, -2, versions[i].name);
	}
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}
