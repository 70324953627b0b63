/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/sticky.h"

#include "base/mem.h"
#include "base/siphash.h"
#include "http/cookie.h"
#include "upstream/group.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

enum {
	ID_LEN = 8,
	EXPIRY_LEN = 8,
	SIGNED_LEN = ID_LEN + EXPIRY_LEN,
	TAG_LEN = 16,
	RAW_LEN = SIGNED_LEN + TAG_LEN,
	HMAC_LEN = 32,
	LOOKED_AT_MAX = 4, /* cookies of the name: each costs a signature */
};
_Static_assert(STICKY_VALUE_LEN == (RAW_LEN * 8 + 5) / 6, "base64 without padding");

struct sticky {
	char *cookie, *attributes;
	uint32_t ttl_s;
	EVP_MAC_CTX *mac; /* with the group's key; copied for each use */
	uint8_t id_key[SIPHASH_KEY_LEN];
};

/* ---- signatures ---- */

static EVP_MAC_CTX *mac_new(const uint8_t *key, size_t len)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	        OSSL_PARAM_utf8_string("digest", digest, sizeof digest - 1), OSSL_PARAM_END};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	if (mac && EVP_MAC_init(mac, key, len, params))
		return mac;
	EVP_MAC_CTX_free(mac);
	return NULL;
}

/* False when libcrypto fails, which is for want of memory. */
static bool sign(const EVP_MAC_CTX *mac, const void *text, size_t len, uint8_t out[HMAC_LEN])
{
	EVP_MAC_CTX *copy = EVP_MAC_CTX_dup(mac);
	size_t n = 0;
	bool ok = copy && EVP_MAC_update(copy, text, len) &&
	          EVP_MAC_final(copy, out, &n, HMAC_LEN) && n == HMAC_LEN;
	EVP_MAC_CTX_free(copy);
	return ok;
}

/* A key for one purpose and group. */
static bool derive(
        const EVP_MAC_CTX *mac, const char *purpose, const char *group, uint8_t out[HMAC_LEN])
{
	size_t n = strlen(purpose) + 1, len = n + strlen(group);
	char *text = mem_new(len + 1);
	memcpy(text, purpose, n); /* the NUL between them */
	memcpy(text + n, group, len - n);
	bool ok = sign(mac, text, len, out);
	mem_free(text);
	return ok;
}

struct sticky *sticky_new(const char *group, const char *cookie, const char *attributes,
        uint32_t ttl_s, struct slice secret)
{
	struct sticky *s = mem_new(sizeof *s);
	EVP_MAC_CTX *mac = mac_new(secret.at, secret.len);
	uint8_t id_key[HMAC_LEN], key[HMAC_LEN];
	s->cookie = mem_strdup(cookie);
	s->attributes = mem_strdup(attributes);
	s->ttl_s = ttl_s;
	if (mac && derive(mac, "moongate sticky server", group, id_key) &&
	        derive(mac, "moongate sticky cookie", group, key)) {
		memcpy(s->id_key, id_key, sizeof s->id_key);
		s->mac = mac_new(key, sizeof key);
	}
	EVP_MAC_CTX_free(mac);
	OPENSSL_cleanse(id_key, sizeof id_key);
	OPENSSL_cleanse(key, sizeof key);
	if (s->mac)
		return s;
	sticky_free(s);
	return NULL;
}

const char *sticky_cookie(const struct sticky *s)
{
	return s->cookie;
}

void sticky_free(struct sticky *s)
{
	if (!s)
		return;
	EVP_MAC_CTX_free(s->mac);
	OPENSSL_cleanse(s->id_key, sizeof s->id_key);
	mem_free(s->cookie);
	mem_free(s->attributes);
	mem_free(s);
}

/* ---- base64url (RFC 4648 5) ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t raw[RAW_LEN], char out[STICKY_VALUE_LEN])
{
	uint32_t bits = 0;
	unsigned n = 0;
	for (size_t i = 0; i < RAW_LEN; i++) {
		bits = bits << 8 | raw[i];
		for (n += 8; n >= 6; n -= 6)
			*out++ = digits[bits >> (n - 6) & 63];
	}
	*out = digits[bits << (6 - n) & 63];
}

static int digit(uint8_t c)
{
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* One text for each value: the bits that are left over are 0. */
static bool decode(struct slice text, uint8_t raw[RAW_LEN])
{
	uint32_t bits = 0;
	unsigned n = 0;
	if (text.len != STICKY_VALUE_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int d = digit(text.at[i]);
		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		n += 6;
		if (n < 8)
			continue;
		n -= 8;
		*raw++ = (uint8_t)(bits >> n);
	}
	return (bits & ((1U << n) - 1)) == 0;
}

static uint64_t load64(const uint8_t *at)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | at[i];
	return v;
}

static void store64(uint8_t *at, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		at[i] = (uint8_t)v;
}

/* ---- the cookie ---- */

static uint64_t id_of(const struct sticky *s, const char *key)
{
	return siphash(s->id_key, key, strlen(key));
}

static bool is_sound(const struct sticky *s, const uint8_t raw[RAW_LEN], int64_t now_s)
{
	uint8_t tag[HMAC_LEN];
	if (!sign(s->mac, raw, SIGNED_LEN, tag) ||
	        CRYPTO_memcmp(tag, raw + SIGNED_LEN, TAG_LEN) != 0)
		return false;
	uint64_t expiry = load64(raw + ID_LEN);
	return expiry == 0 || (now_s >= 0 && (uint64_t)now_s < expiry);
}

static int find_member(const struct sticky *s, const struct upstream_members *m, uint64_t id)
{
	for (unsigned i = 0; i < m->n; i++)
		if (id_of(s, m->server[i].state->key) == id)
			return (int)i;
	return -1;
}

int sticky_find(const struct sticky *s, const struct http_head *request,
        const struct upstream_members *m, int64_t now_s)
{
	struct http_cookies at = {.field = 0};
	struct slice value;
	uint8_t raw[RAW_LEN];
	int looked_at = 0;
	while (looked_at < LOOKED_AT_MAX &&
	        http_cookie_next(request, &at, slice_str(s->cookie), &value)) {
		if (!decode(value, raw))
			continue;
		looked_at++;
		if (is_sound(s, raw, now_s))
			return find_member(s, m, load64(raw));
	}
	return -1;
}

void sticky_put(const struct sticky *s, struct http_writer *w, const char *key, int64_t now_s)
{
	uint8_t raw[RAW_LEN], tag[HMAC_LEN];
	char line[STICKY_LINE_MAX], value[STICKY_VALUE_LEN], age[32] = "";
	store64(raw, id_of(s, key));
	store64(raw + ID_LEN, s->ttl_s ? (uint64_t)now_s + s->ttl_s : 0);
	if (!sign(s->mac, raw, SIGNED_LEN, tag))
		return; /* the next session finds a server without it */
	memcpy(raw + SIGNED_LEN, tag, TAG_LEN);
	encode(raw, value);
	if (s->ttl_s)
		snprintf(age, sizeof age, "; Max-Age=%u", (unsigned)s->ttl_s);
	int n = snprintf(line, sizeof line, "%s=%.*s%s%s%s", s->cookie, STICKY_VALUE_LEN, value,
	        age, s->attributes[0] ? "; " : "", s->attributes);
	assert(n > 0 && (size_t)n < sizeof line);
	http_put_field(w, SLICE("Set-Cookie"), slice_of(line, (size_t)n));
}

/* ---- attributes ---- */

static bool is_attribute(struct slice name, struct slice value, bool has_value)
{
	static const char *const flags[] = {"Secure", "HttpOnly", "Partitioned"};
	static const char *const sites[] = {"Strict", "Lax", "None"};
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (slice_equal_nocase(name, slice_str(flags[i])))
			return !has_value;
	if (slice_equal_nocase(name, SLICE("Path")))
		return value.len > 0 && value.at[0] == '/';
	if (slice_equal_nocase(name, SLICE("Domain")))
		return value.len > 0;
	if (!slice_equal_nocase(name, SLICE("SameSite")))
		return false;
	for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++)
		if (slice_equal_nocase(value, slice_str(sites[i])))
			return true;
	return false;
}

static struct slice without_blanks(struct slice s)
{
	while (s.len > 0 && s.at[0] == ' ')
		s = slice_of(s.at + 1, s.len - 1);
	while (s.len > 0 && s.at[s.len - 1] == ' ')
		s.len--;
	return s;
}

static const char *check_attribute(struct slice text)
{
	const uint8_t *equals = text.len ? memchr(text.at, '=', text.len) : NULL;
	struct slice name = equals ? slice_of(text.at, (size_t)(equals - text.at)) : text;
	struct slice value =
	        equals ? slice_of(equals + 1, text.len - name.len - 1) : slice_of(text.at, 0);
	if (slice_equal_nocase(name, SLICE("Max-Age")) ||
	        slice_equal_nocase(name, SLICE("Expires")))
		return "want sticky_ttl for how long the cookie lasts";
	return is_attribute(name, value, equals != NULL)
	               ? NULL
	               : "want attributes of a cookie, such as Path=/; HttpOnly; Secure; "
	                 "SameSite=Lax; Domain=example.com";
}

const char *sticky_check_attributes(const char *text)
{
	if (strlen(text) > STICKY_TEXT_MAX)
		return "want at most 256 bytes";
	for (const char *at = text; *at; at++)
		if (*at < 0x20 || *at > 0x7e || *at == ',' || *at == '"')
			return "want printable ASCII without commas and quotes";
	if (!*text)
		return NULL;
	for (;;) {
		size_t len = strcspn(text, ";");
		const char *wrong = check_attribute(without_blanks(slice_of(text, len)));
		if (wrong || !text[len])
			return wrong;
		text += len + 1;
	}
}
