/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_kdf.h"

#include "net/tls_error.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

enum { HASH_MAX = 48, BLOCK_MAX = 128, HASHES = 2 };

/* Looked up once; they live as long as the process. */
static EVP_MD *hash[HASHES];
static uint8_t of_nothing[HASHES][HASH_MAX]; /* their values */
static EVP_KDF *own;                         /* OpenSSL's */

static _Thread_local struct {
	tls_kdf_fn fn;
	void *arg;
} watch;

void tls_kdf_watch(tls_kdf_fn fn, void *arg)
{
	watch.fn = fn;
	watch.arg = arg;
}

/* ---- HKDF ---- */

/* One half of HMAC (RFC 2104): of the key, as it is padded there, and of what follows. */
static bool half(EVP_MD_CTX *c, const EVP_MD *md, const uint8_t *secret, uint8_t pad,
        const uint8_t *at, size_t len, uint8_t out[HASH_MAX])
{
	uint8_t block[BLOCK_MAX];
	size_t size = (size_t)EVP_MD_get_block_size(md), secret_len = (size_t)EVP_MD_get_size(md);
	memset(block, pad, size);
	for (size_t i = 0; i < secret_len; i++)
		block[i] ^= secret[i];
	bool is_good = EVP_DigestInit_ex2(c, md, NULL) && EVP_DigestUpdate(c, block, size) &&
	               EVP_DigestUpdate(c, at, len) && EVP_DigestFinal_ex(c, out, NULL);
	OPENSSL_cleanse(block, sizeof block);
	return is_good;
}

enum { INFO_MAX = 2 + 1 + 255 + 1 + 255 + 1 };

/* The HkdfLabel, and the number of the only block (RFC 5869 2.3). */
static size_t put_info(uint8_t out[INFO_MAX], const struct tls_label *label, size_t len)
{
	size_t n = 0;
	out[n++] = (uint8_t)(len >> 8);
	out[n++] = (uint8_t)len;
	out[n++] = (uint8_t)(label->prefix_len + label->label_len);
	memcpy(out + n, label->prefix, label->prefix_len);
	n += label->prefix_len;
	memcpy(out + n, label->label, label->label_len);
	n += label->label_len;
	out[n++] = (uint8_t)label->data_len;
	if (label->data_len > 0)
		memcpy(out + n, label->data, label->data_len);
	n += label->data_len;
	out[n++] = 1;
	return n;
}

static bool hmac(const EVP_MD *md, const uint8_t *secret, const uint8_t *at, size_t len,
        uint8_t out[HASH_MAX])
{
	enum { INNER = 0x36, OUTER = 0x5c };
	size_t size = (size_t)EVP_MD_get_size(md);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool is_good = c && half(c, md, secret, INNER, at, len, out) &&
	               half(c, md, secret, OUTER, out, size, out);
	EVP_MD_CTX_free(c);
	return is_good;
}

bool tls_kdf_expand(const EVP_MD *md, const uint8_t *secret, const struct tls_label *label,
        uint8_t *out, size_t len)
{
	uint8_t info[INFO_MAX], digest[HASH_MAX];
	bool is_good = hmac(md, secret, info, put_info(info, label, len), digest);
	if (is_good)
		memcpy(out, digest, len);
	OPENSSL_cleanse(digest, sizeof digest);
	return is_good;
}

/* ---- the algorithm ---- */

/* What is asked for, if it is the common case. */
struct request {
	const EVP_MD *md;
	const uint8_t *of_nothing; /* the hash of it */
	int mode;
	const uint8_t *secret, *salt; /* salt: NULL = none */
	size_t secret_len, salt_len;
	struct tls_label label;
};

static bool read_hash(const OSSL_PARAM *p, struct request *r)
{
	static const char *const names[HASHES][2] = {
	        {"SHA2-256", "SHA256"}, {"SHA2-384", "SHA384"}};
	const char *name;
	if (!p || !OSSL_PARAM_get_utf8_string_ptr(p, &name))
		return false;
	for (int i = 0; i < HASHES; i++)
		if (strcasecmp(name, names[i][0]) == 0 || strcasecmp(name, names[i][1]) == 0) {
			r->md = hash[i];
			r->of_nothing = of_nothing[i];
		}
	return r->md != NULL;
}

/* At most 255 bytes; what is not there is empty. */
static bool read_bytes(const OSSL_PARAM *all, const char *name, const uint8_t **at, size_t *len)
{
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(all, name);
	if (!p)
		return true;
	*at = p->data;
	*len = p->data_size;
	return p->data_type == OSSL_PARAM_OCTET_STRING && *len <= 255 && (*at || *len == 0);
}

static bool read_mode(const OSSL_PARAM *p, int *mode)
{
	return p && p->data_type == OSSL_PARAM_INTEGER && OSSL_PARAM_get_int(p, mode) &&
	       (*mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY || *mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY);
}

/* A secret has the hash's length; what is extracted from may have any. */
static bool is_sound(const struct request *r, size_t len)
{
	size_t size = (size_t)EVP_MD_get_size(r->md);
	const struct tls_label *l = &r->label;
	if (l->prefix_len == 0 || l->label_len == 0 || l->prefix_len + l->label_len > 255)
		return false;
	if (r->mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY)
		return r->secret_len == size && len <= size;
	return len == size && (!r->salt || r->salt_len == size);
}

static bool read_request(const OSSL_PARAM *all, size_t len, struct request *r)
{
	struct tls_label *l = &r->label;
	*r = (struct request){.md = NULL};
	return read_hash(OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_DIGEST), r) &&
	       read_mode(OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_MODE), &r->mode) &&
	       read_bytes(all, OSSL_KDF_PARAM_KEY, &r->secret, &r->secret_len) &&
	       read_bytes(all, OSSL_KDF_PARAM_SALT, &r->salt, &r->salt_len) &&
	       read_bytes(all, OSSL_KDF_PARAM_PREFIX, &l->prefix, &l->prefix_len) &&
	       read_bytes(all, OSSL_KDF_PARAM_LABEL, &l->label, &l->label_len) &&
	       read_bytes(all, OSSL_KDF_PARAM_DATA, &l->data, &l->data_len) && is_sound(r, len);
}

/* A step down the ladder of RFC 8446 7.1: Derive-Secret(salt, label, ""), which salts the
 * HKDF-Extract. Where there is no secret, there are zeros. */
static bool extract(const struct request *r, uint8_t *out)
{
	static const uint8_t zeros[HASH_MAX];
	size_t size = (size_t)EVP_MD_get_size(r->md);
	uint8_t salt[HASH_MAX] = {0}, secret[HASH_MAX];
	struct tls_label label = r->label;
	label.data = r->of_nothing;
	label.data_len = size;
	bool is_good = (!r->salt || tls_kdf_expand(r->md, r->salt, &label, salt, size)) &&
	               hmac(r->md, salt, r->secret ? r->secret : zeros,
	                       r->secret ? r->secret_len : size, secret);
	if (is_good)
		memcpy(out, secret, size);
	OPENSSL_cleanse(salt, sizeof salt);
	OPENSSL_cleanse(secret, sizeof secret);
	return is_good;
}

static bool expand(const struct request *r, uint8_t *out, size_t len)
{
	if (!tls_kdf_expand(r->md, r->secret, &r->label, out, len))
		return false;
	if (watch.fn)
		watch.fn(watch.arg, r->label.label, r->label.label_len, out, len);
	return true;
}

/* A derivation. `inner` is OpenSSL's, made when it is needed; once there, it does all. */
struct derivation {
	EVP_KDF_CTX *inner;
};

static void *new_derivation(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(sizeof(struct derivation));
}

static void free_derivation(void *at)
{
	struct derivation *d = at;
	if (d)
		EVP_KDF_CTX_free(d->inner);
	OPENSSL_free(d);
}

static void reset(void *at)
{
	struct derivation *d = at;
	EVP_KDF_CTX_free(d->inner);
	d->inner = NULL;
}

static bool has_inner(struct derivation *d)
{
	if (!d->inner)
		d->inner = EVP_KDF_CTX_new(own);
	return d->inner != NULL;
}

static int set_params(void *at, const OSSL_PARAM *params)
{
	struct derivation *d = at;
	return !params || !params->key ||
	       (has_inner(d) && EVP_KDF_CTX_set_params(d->inner, params));
}

static int get_params(void *at, OSSL_PARAM *params)
{
	struct derivation *d = at;
	return has_inner(d) && EVP_KDF_CTX_get_params(d->inner, params);
}

static int derive(void *at, unsigned char *out, size_t len, const OSSL_PARAM *params)
{
	struct derivation *d = at;
	struct request r;
	if (d->inner || !params || !read_request(params, len, &r))
		return has_inner(d) && EVP_KDF_derive(d->inner, out, len, params) > 0;
	return r.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY ? extract(&r, out) : expand(&r, out, len);
}

static const OSSL_PARAM *settable(void *at, void *provider)
{
	(void)at, (void)provider;
	return EVP_KDF_settable_ctx_params(own);
}

static const OSSL_PARAM *gettable(void *at, void *provider)
{
	(void)at, (void)provider;
	return EVP_KDF_gettable_ctx_params(own);
}

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	static const OSSL_DISPATCH functions[] = {
	        {OSSL_FUNC_KDF_NEWCTX, (void (*)(void))new_derivation},
	        {OSSL_FUNC_KDF_FREECTX, (void (*)(void))free_derivation},
	        {OSSL_FUNC_KDF_RESET, (void (*)(void))reset},
	        {OSSL_FUNC_KDF_DERIVE, (void (*)(void))derive},
	        {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, (void (*)(void))settable},
	        {OSSL_FUNC_KDF_SET_CTX_PARAMS, (void (*)(void))set_params},
	        {OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, (void (*)(void))gettable},
	        {OSSL_FUNC_KDF_GET_CTX_PARAMS, (void (*)(void))get_params}, {0, NULL}};
	static const OSSL_ALGORITHM algorithms[] = {
	        {OSSL_KDF_NAME_TLS1_3_KDF, "provider=moongate", functions, NULL},
	        {NULL, NULL, NULL, NULL}};
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_KDF ? algorithms : NULL;
}

static int start(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
        void **provider)
{
	static const OSSL_DISPATCH functions[] = {
	        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query}, {0, NULL}};
	(void)in;
	*provider = (void *)(uintptr_t)core;
	*out = functions;
	return 1;
}

static OSSL_PROVIDER *loaded;

/* Nothing else of what OpenSSL uses changes: its own providers stay as they are. */
static void load(void)
{
	static const char others[] = "provider!=moongate";
	hash[0] = EVP_MD_fetch(NULL, "SHA256", NULL);
	hash[1] = EVP_MD_fetch(NULL, "SHA384", NULL);
	own = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, others);
	for (int i = 0; i < HASHES && hash[i]; i++)
		EVP_Digest("", 0, of_nothing[i], NULL, hash[i], NULL);
	if (hash[0] && hash[1] && own && OSSL_PROVIDER_add_builtin(NULL, "moongate", start))
		loaded = OSSL_PROVIDER_try_load(NULL, "moongate", 1);
	tls_error_clear();
}

const char *tls_kdf_properties(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return loaded ? "?provider=moongate" : NULL;
}
