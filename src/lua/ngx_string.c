/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_string.h"

#include "lua/args.h"
#include "lua/base64.h"
#include "lua/crc32.h"
#include "lua/finalizers.h"
#include "lua/ngx.h"
#include "lua/uri_args.h"
#include "lua/values.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

/* ---- base64 ---- */

static int push_base64(lua_State *L, struct slice in, enum base64_form form)
{
	char small[ARGS_SMALL];
	char *room = args_room(L, small, base64_room(in.len));

	lua_pushlstring(L, room, base64_write(room, in, form));
	return 1;
}

/* Pushes nothing and returns false for what is no base64. */
static bool push_decoded(lua_State *L, struct slice in, enum base64_form form)
{
	char small[ARGS_SMALL];
	char *room = args_room(L, small, in.len);
	ssize_t len = base64_read(room, in, form);

	if (len >= 0)
		lua_pushlstring(L, room, (size_t)len);
	return len >= 0;
}

static int encode_base64(lua_State *L)
{
	struct slice in = args_text(L, 1);

	if (lua_toboolean(L, 2) && !lua_isboolean(L, 2))
		return luaL_error(
		        L, "bad no_padding: boolean expected, got %s", luaL_typename(L, 2));
	return push_base64(L, in, lua_toboolean(L, 2) ? BASE64_UNPADDED : BASE64_PADDED);
}

static int decode_base64(lua_State *L)
{
	if (!push_decoded(L, args_string_only(L, 1), BASE64_PADDED))
		lua_pushnil(L);
	return 1;
}

static int decode_base64mime(lua_State *L)
{
	if (!push_decoded(L, args_string_only(L, 1), BASE64_MIME))
		lua_pushnil(L);
	return 1;
}

static int encode_base64url(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING)
		return lua_fail(L, "must provide a string");
	return push_base64(L, args_text(L, 1), BASE64_URL);
}

static int decode_base64url(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING)
		return lua_fail(L, "must provide a string");
	if (!push_decoded(L, args_text(L, 1), BASE64_URL))
		return lua_fail(L, "invalid input");
	return 1;
}

int ngx_base64_module(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"encode_base64url", encode_base64url},
	        {"decode_base64url", decode_base64url},
	        {NULL, NULL},
	};

	lua_createtable(L, 0, 3);
	luaL_setfuncs(L, functions, 0);
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

/* ---- hashes ---- */

/* One algorithm, looked up once for each VM: that costs more than most hashes. */
struct digest {
	EVP_MD *how;
	EVP_MD_CTX *state;
};

static int digest_gc(lua_State *L)
{
	struct digest *d = lua_finalized(L, digest_gc, sizeof(*d));

	if (!d)
		return 0;
	EVP_MD_CTX_free(d->state);
	EVP_MD_free(d->how);
	*d = (struct digest){0};
	return 0;
}

/* Pushes a digest, whose memory is freed with the VM. */
static void push_digest(lua_State *L, const char *name)
{
	struct digest *d = lua_newuserdata(L, sizeof(*d));

	*d = (struct digest){0};
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, digest_gc);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	d->how = EVP_MD_fetch(NULL, name, NULL);
	d->state = EVP_MD_CTX_new();
}

/* Hashes the argument with the digest in upvalue 1. Returns the length of the sum. */
static unsigned hash(lua_State *L, uint8_t sum[EVP_MAX_MD_SIZE])
{
	struct digest *d = lua_touserdata(L, lua_upvalueindex(1));
	struct slice in = args_text(L, 1);
	unsigned len;

	if (!d->how || !d->state || !EVP_DigestInit_ex2(d->state, d->how, NULL) ||
	        !EVP_DigestUpdate(d->state, in.at, in.len) ||
	        !EVP_DigestFinal_ex(d->state, sum, &len)) {
		luaL_error(L, "the hash is not available in this build of OpenSSL");
		return 0;
	}
	return len;
}

static int hash_bin(lua_State *L)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	unsigned len = hash(L, sum);

	lua_pushlstring(L, (const char *)sum, len);
	return 1;
}

static int hash_hex(lua_State *L)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE];
	unsigned len = hash(L, sum);

	for (unsigned i = 0; i < len; i++) {
		text[2 * i] = hex[sum[i] >> 4];
		text[2 * i + 1] = hex[sum[i] & 15];
	}
	lua_pushlstring(L, text, 2 * (size_t)len);
	return 1;
}

static int hmac_sha1(lua_State *L)
{
	uint8_t sum[EVP_MAX_MD_SIZE];
	size_t key_len, len;
	unsigned sum_len;

	args_count(L, 2, 2, "expecting 2 arguments, but got");
	const char *key = luaL_checklstring(L, 1, &key_len);
	const char *text = luaL_checklstring(L, 2, &len);
	if (key_len > INT32_MAX)
		return luaL_argerror(L, 1, "key too long");
	if (!HMAC(EVP_sha1(), key, (int)key_len, (const uint8_t *)text, len, sum, &sum_len))
		return luaL_error(L, "HMAC-SHA1 failed");
	lua_pushlstring(L, (const char *)sum, sum_len);
	return 1;
}

static int crc32(lua_State *L)
{
	lua_pushnumber(L, crc32_of(args_text(L, 1)));
	return 1;
}

/* ---- percent coding ---- */

static enum uri_part part_of(lua_State *L, int at)
{
	if (lua_isnoneornil(L, at))
		return URI_COMPONENT;
	if (lua_type(L, at) != LUA_TNUMBER)
		args_error(L, 2, "\"type\" is not a number");
	lua_Number part = lua_tonumber(L, at);
	if (!(part >= 0 && part < URI_PARTS))
		args_error(L, 2, "\"type\" %s out of range", lua_tostring(L, at));
	return (enum uri_part)part;
}

static int escape_uri(lua_State *L)
{
	char small[ARGS_SMALL];
	struct slice in = args_text(L, 1);
	enum uri_part part = part_of(L, 2);
	size_t len = uri_escaped_len(in, part);

	if (len == in.len && in.len > 0) {
		lua_settop(L, 1);
		return 1;
	}
	char *room = args_room(L, small, len);
	uri_escape(room, in, part);
	lua_pushlstring(L, room, len);
	return 1;
}

static int unescape_uri(lua_State *L)
{
	char small[ARGS_SMALL];
	struct slice in = args_text(L, 1);
	char *room = args_room(L, small, in.len);

	lua_pushlstring(L, room, uri_unescape(room, in));
	return 1;
}

static int encode_args(lua_State *L)
{
	args_count(L, 1, 1, "expecting 1 argument but seen");
	luaL_checktype(L, 1, LUA_TTABLE);
	uri_args_write(L, 1);
	return 1;
}

static int decode_args(lua_State *L)
{
	enum { DEFAULT_MAX = 100 };
	size_t len;

	args_count(L, 1, 2, "expecting 1 or 2 arguments but seen");
	const char *text = luaL_checklstring(L, 1, &len);
	int max = lua_gettop(L) == 2 ? (int)luaL_checkinteger(L, 2) : DEFAULT_MAX;
	if (uri_args_push(L, slice_of(text, len), max))
		return 1;
	lua_pushliteral(L, "truncated");
	return 2;
}

void ngx_string_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"encode_base64", encode_base64},
	        {"decode_base64", decode_base64},
	        {"decode_base64mime", decode_base64mime},
	        {"hmac_sha1", hmac_sha1},
	        {"crc32_short", crc32},
	        {"crc32_long", crc32},
	        {"escape_uri", escape_uri},
	        {"unescape_uri", unescape_uri},
	        {"encode_args", encode_args},
	        {"decode_args", decode_args},
	        {NULL, NULL},
	};

	luaL_setfuncs(L, functions, 0);
	push_digest(L, "SHA1");
	lua_pushcclosure(L, hash_bin, 1);
	lua_setfield(L, -2, "sha1_bin");
	push_digest(L, "MD5");
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, hash_bin, 1);
	lua_setfield(L, -3, "md5_bin");
	lua_pushcclosure(L, hash_hex, 1);
	lua_setfield(L, -2, "md5");
}
