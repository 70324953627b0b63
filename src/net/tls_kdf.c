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
static EVP_KDF *own; /* OpenSSL's */

static _Thread_local struct {
	tls_kdf_fn fn;
	void *arg;
} watch;

void tls_kdf_watch(tls_kdf_fn fn, void *arg)
{
	watch.fn = fn;
	watch.arg = arg;
}

/* ---- HKDF-Expand-Label ---- */

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

bool tls_kdf_expand(const EVP_MD *md, const uint8_t *secret, const struct tls_label *label,
        uint8_t *out, size_t len)
{
	enum { INNER = 0x36, OUTER = 0x5c };
	uint8_t info[INFO_MAX], digest[HASH_MAX];
	size_t info_len = put_info(info, label, len), size = (size_t)EVP_MD_get_size(md);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool is_good = c && half(c, md, secret, INNER, info, info_len, digest) &&
	               half(c, md, secret, OUTER, digest, size, digest);
	if (is_good)
		memcpy(out, digest, len);
	OPENSSL_cleanse(digest, sizeof digest);
	EVP_MD_CTX_free(c);
	return is_good;
}

/* ---- the algorithm ---- */

/* What is asked for, if it is the common case. */
struct request {
	const EVP_MD *md;
	const uint8_t *secret;
	struct tls_label label;
};

static const EVP_MD *hash_by(const OSSL_PARAM *p)
{
	static const char *const names[HASHES][2] = {
	        {"SHA2-256", "SHA256"}, {"SHA2-384", "SHA384"}};
	const char *name;
	if (!p || !OSSL_PARAM_get_utf8_string_ptr(p, &name))
		return NULL;
	for (int i = 0; i < HASHES; i++)
		if (strcasecmp(name, names[i][0]) == 0 || strcasecmp(name, names[i][1]) == 0)
			return hash[i];
	return NULL;
}

/* At most 255 bytes; what is not there is empty. */
static bool bytes_of(const OSSL_PARAM *p, const uint8_t **at, size_t *len)
{
	if (!p)
		return true;
	if (p->data_type != OSSL_PARAM_OCTET_STRING)
		return false;
	*at = p->data;
	*len = p->data_size;
	return *len <= 255 && (*at || *len == 0);
}

static bool read_request(const OSSL_PARAM *all, size_t len, struct request *r)
{
	size_t secret_len = 0;
	int mode = -1;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_MODE);
	*r = (struct request){.md = hash_by(OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_DIGEST))};
	return r->md && p && p->data_type == OSSL_PARAM_INTEGER && OSSL_PARAM_get_int(p, &mode) &&
	       mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && len <= (size_t)EVP_MD_get_size(r->md) &&
	       bytes_of(
	               OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_KEY), &r->secret, &secret_len) &&
	       secret_len == (size_t)EVP_MD_get_size(r->md) &&
	       bytes_of(OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_PREFIX), &r->label.prefix,
	               &r->label.prefix_len) &&
	       bytes_of(OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_LABEL), &r->label.label,
	               &r->label.label_len) &&
	       bytes_of(OSSL_PARAM_locate_const(all, OSSL_KDF_PARAM_DATA), &r->label.data,
	               &r->label.data_len) &&
	       r->label.prefix_len > 0 && r->label.label_len > 0 &&
	       r->label.prefix_len + r->label.label_len <= 255;
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
	if (!tls_kdf_expand(r.md, r.secret, &r.label, out, len))
		return 0;
	if (watch.fn)
		watch.fn(watch.arg, r.label.label, r.label.label_len, out, len);
	return 1;
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

static bool is_loaded;

/* Nothing else of what OpenSSL uses changes: its own providers stay as they are. */
static void load(void)
{
	static const char others[] = "provider!=moongate";
	hash[0] = EVP_MD_fetch(NULL, "SHA256", NULL);
	hash[1] = EVP_MD_fetch(NULL, "SHA384", NULL);
	own = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, others);
	is_loaded = hash[0] && hash[1] && own &&
	            OSSL_PROVIDER_add_builtin(NULL, "moongate", start) &&
	            OSSL_PROVIDER_try_load(NULL, "moongate", 1);
	tls_error_clear();
}

const char *tls_kdf_properties(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, load);
	return is_loaded ? "?provider=moongate" : NULL;
}
