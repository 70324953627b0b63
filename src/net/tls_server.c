/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_server.h"

#include "base/mem.h"
#include "net/tls_names.h"
#include "net/tls_ocsp.h"
#include "net/tls_private.h"
#include "net/tls_ticket.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
	TYPES = 4, /* of keys: RSA, ECDSA, EdDSA and others */
	NONE = -1,
};

struct certificate {
	X509 *leaf;
	STACK_OF(X509) * chain;
	EVP_PKEY *key;
	struct tls_names names; /* sorted */
	struct tls_ocsp ocsp;
};

/* One certificate for each type of key, by number. */
struct set {
	int16_t at[TYPES];
	SSL_CTX *context;
};

struct tls_server {
	atomic_uint refs;
	struct tls_settings settings; /* texts owned */
	bool refuse_unknown;
	enum tls_verify verify;
	X509_STORE *store;
	STACK_OF(X509_NAME) * ca_names;
	struct certificate *certificate;
	size_t certificate_n;
	struct tls_ocsp *last_ocsp;
	struct tls_names names; /* each leads to a set */
	struct set *set;        /* the first is the default */
	size_t set_n;
	struct tls_ticket_keys tickets;
	uint8_t scope[32];
};

/* ---- making ---- */

static bool set_scope(
        struct tls_server *t, const struct tls_server_settings *s, char why[TLS_WHY_MAX])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool is_good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) &&
	               EVP_DigestUpdate(md, s->scope, strlen(s->scope) + 1) &&
	               EVP_DigestUpdate(md, &s->verify, sizeof s->verify) &&
	               EVP_DigestUpdate(md, s->client_ca.at, s->client_ca.len) &&
	               EVP_DigestFinal_ex(md, t->scope, NULL);
	EVP_MD_CTX_free(md);
	if (!is_good)
		tls_error_take(why);
	return is_good;
}

static bool set_client_ca(
        struct tls_server *t, const struct tls_server_settings *s, char why[TLS_WHY_MAX])
{
	if (s->verify == TLS_VERIFY_OFF)
		return true;
	STACK_OF(X509) *all = tls_read_certificates(s->client_ca, why);
	if (!all)
		return false;
	t->ca_names = sk_X509_NAME_new_null();
	for (int i = 0; i < sk_X509_num(all); i++)
		sk_X509_NAME_push(
		        t->ca_names, X509_NAME_dup(X509_get_subject_name(sk_X509_value(all, i))));
	sk_X509_pop_free(all, X509_free);
	t->store = tls_read_store(s->client_ca, why);
	return t->store != NULL;
}

struct tls_server *tls_server_new(const struct tls_server_settings *s, char why[TLS_WHY_MAX])
{
	struct tls_server *t = mem_new(sizeof *t);
	atomic_init(&t->refs, 1);
	t->settings = (struct tls_settings){.min_version = s->tls.min_version,
	        .ciphers = mem_strdup(s->tls.ciphers),
	        .ciphersuites = mem_strdup(s->tls.ciphersuites),
	        .groups = mem_strdup(s->tls.groups)};
	t->refuse_unknown = s->refuse_unknown;
	t->verify = s->verify;
	if (set_scope(t, s, why) && set_client_ca(t, s, why))
		return t;
	tls_server_unref(t);
	return NULL;
}

struct tls_server *tls_server_ref(struct tls_server *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

static void free_certificate(struct certificate *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	tls_names_fini(&c->names);
	tls_ocsp_fini(&c->ocsp);
}

void tls_server_unref(struct tls_server *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < t->set_n; i++)
		SSL_CTX_free(t->set[i].context);
	for (size_t i = 0; i < t->certificate_n; i++)
		free_certificate(&t->certificate[i]);
	mem_free(t->set);
	mem_free(t->certificate);
	tls_names_fini(&t->names);
	tls_ticket_fini(&t->tickets);
	X509_STORE_free(t->store);
	sk_X509_NAME_pop_free(t->ca_names, X509_NAME_free);
	mem_free((char *)(uintptr_t)t->settings.ciphers);
	mem_free((char *)(uintptr_t)t->settings.ciphersuites);
	mem_free((char *)(uintptr_t)t->settings.groups);
	mem_free(t);
}

static void keep_name(const char *name, void *names)
{
	tls_names_add(names, name, 0);
}

/* What its security level forbids, such as a short key, OpenSSL would only say of all at once. */
static bool is_taken(const struct certificate *c, char why[TLS_WHY_MAX])
{
	char words[TLS_WHY_MAX];
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	bool is_good = ctx && SSL_CTX_use_cert_and_key(ctx, c->leaf, c->key, c->chain, 1) == 1;
	if (!is_good)
		snprintf(why, TLS_WHY_MAX, "OpenSSL does not take it: %.100s",
		        tls_error_take(words));
	SSL_CTX_free(ctx);
	return is_good;
}

bool tls_server_add(
        struct tls_server *t, struct slice chain, struct slice key, char why[TLS_WHY_MAX])
{
	struct certificate c = {.chain = tls_read_certificates(chain, why)};
	if (!c.chain)
		return false;
	c.leaf = sk_X509_shift(c.chain);
	c.key = tls_read_key(key, why);
	if (c.key && !X509_check_private_key(c.leaf, c.key)) {
		tls_key_why(why, "it does not belong to the certificate");
		EVP_PKEY_free(c.key);
		c.key = NULL;
		tls_error_clear();
	}
	if (!c.key || !is_taken(&c, why)) {
		free_certificate(&c);
		return false;
	}
	tls_names_of_certificate(c.leaf, keep_name, &c.names);
	tls_names_sort(&c.names);
	t->certificate =
	        mem_resize(t->certificate, (t->certificate_n + 1) * sizeof t->certificate[0]);
	t->certificate[t->certificate_n++] = c;
	return true;
}

long tls_server_left(const struct tls_server *t, bool *has_begun)
{
	return tls_certificate_left(t->certificate[t->certificate_n - 1].leaf, has_begun);
}

static X509 *issuer_of(const struct certificate *c)
{
	return sk_X509_num(c->chain) > 0 ? sk_X509_value(c->chain, 0) : NULL;
}

bool tls_server_add_ocsp(struct tls_server *t, struct slice der, char why[TLS_WHY_MAX])
{
	for (size_t i = 0; i < t->certificate_n; i++) {
		struct certificate *c = &t->certificate[i];
		enum tls_ocsp_verdict v = tls_ocsp_read(&c->ocsp, der, c->leaf, issuer_of(c), why);
		if (v == TLS_OCSP_TAKEN)
			t->last_ocsp = &c->ocsp;
		if (v != TLS_OCSP_OTHER)
			return v == TLS_OCSP_TAKEN;
	}
	snprintf(why, TLS_WHY_MAX, "it is about none of the listener's certificates");
	return false;
}

bool tls_server_ocsp_is_old(const struct tls_server *t)
{
	return !tls_ocsp_is_fresh(t->last_ocsp);
}

void tls_server_add_ticket_key(struct tls_server *t, struct slice file)
{
	tls_ticket_add(&t->tickets, file);
}

/* ---- sets ---- */

static int type_of(const struct certificate *c)
{
	switch (EVP_PKEY_get_base_id(c->key)) {
	case EVP_PKEY_RSA:
		return 0;
	case EVP_PKEY_EC:
		return 1;
	case EVP_PKEY_ED25519:
		return 2;
	default:
		return 3;
	}
}

static bool is_same_set(const struct set *a, const struct set *b)
{
	return memcmp(a->at, b->at, sizeof a->at) == 0;
}

/* The number of the set with these certificates, which is made if there is none. */
static unsigned number_of(struct tls_server *t, const struct set *wanted)
{
	for (size_t i = 0; i < t->set_n; i++)
		if (is_same_set(&t->set[i], wanted))
			return (unsigned)i;
	t->set = mem_resize(t->set, (t->set_n + 1) * sizeof t->set[0]);
	t->set[t->set_n] = *wanted;
	return (unsigned)t->set_n++;
}

/* All certificates that hold a name, the first of each type. */
static struct set set_for(const struct tls_server *t, const char *name, size_t first)
{
	struct set set = {.at = {NONE, NONE, NONE, NONE}};
	set.at[type_of(&t->certificate[first])] = (int16_t)first;
	for (size_t i = 0; name && i < t->certificate_n; i++) {
		int16_t *at = &set.at[type_of(&t->certificate[i])];
		if (*at == NONE && tls_names_has(&t->certificate[i].names, name))
			*at = (int16_t)i;
	}
	return set;
}

struct adding {
	struct tls_server *server;
	size_t certificate;
};

/* The first certificate that holds a name has looked for the others. */
static void add_name(const char *name, void *arg)
{
	struct adding *a = arg;
	for (size_t i = 0; i < a->certificate; i++)
		if (tls_names_has(&a->server->certificate[i].names, name))
			return;
	struct set set = set_for(a->server, name, a->certificate);
	tls_names_add(&a->server->names, name, number_of(a->server, &set));
}

static void make_sets(struct tls_server *t)
{
	for (size_t i = 0; i < t->certificate_n; i++) {
		struct adding a = {.server = t, .certificate = i};
		tls_names_of_certificate(t->certificate[i].leaf, add_name, &a);
		if (t->certificate[i].names.n == 0) {
			struct set set = set_for(t, NULL, i);
			number_of(t, &set);
		}
	}
	tls_names_sort(&t->names);
}

/* ---- what OpenSSL asks ---- */

static int on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *t = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	int set = name ? tls_names_find(&t->names, slice_str(name)) : -1;
	if (set >= 0) {
		tls_context_use(t->set[set].context);
		SSL_set_SSL_CTX(ssl, t->set[set].context);
		return SSL_TLSEXT_ERR_OK;
	}
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return t->refuse_unknown ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

/* Who offers protocols must offer this one. */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len,
        const unsigned char *in, unsigned in_len, void *arg)
{
	(void)ssl, (void)arg;
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
	        OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Clients use a ticket of TLS 1.3 once, so there is a new one each time. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
        EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls *t = tls_of(ssl);
	int result = tls_ticket_crypt(&t->server->tickets, name, iv, cipher, mac, encrypt);
	bool is_single = !encrypt && SSL_version(ssl) == TLS1_3_VERSION;
	return result == 1 && is_single ? 2 : result;
}

static int on_status(SSL *ssl, void *arg)
{
	const struct tls_server *t = arg;
	const X509 *leaf = SSL_get_certificate(ssl);
	for (size_t i = 0; i < t->certificate_n; i++)
		if (t->certificate[i].leaf == leaf)
			return tls_ocsp_staple(&t->certificate[i].ocsp, ssl) ? SSL_TLSEXT_ERR_OK
			                                                     : SSL_TLSEXT_ERR_NOACK;
	return SSL_TLSEXT_ERR_NOACK;
}

/* ---- contexts ---- */

static void ask_for_certificates(const struct tls_server *t, SSL_CTX *ctx)
{
	int mode = SSL_VERIFY_PEER;
	if (t->verify == TLS_VERIFY_OFF)
		return;
	if (t->verify == TLS_VERIFY_ON)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set1_cert_store(ctx, t->store);
	SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(t->ca_names));
	SSL_CTX_set_verify(ctx, mode, tls_on_verify);
}

static bool use_certificates(
        const struct tls_server *t, const struct set *set, char why[TLS_WHY_MAX])
{
	for (int i = 0; i < TYPES; i++) {
		if (set->at[i] == NONE)
			continue;
		const struct certificate *c = &t->certificate[set->at[i]];
		if (!SSL_CTX_use_cert_and_key(set->context, c->leaf, c->key, c->chain, 1)) {
			tls_error_take(why);
			return false;
		}
	}
	return true;
}

static bool make_context(struct tls_server *t, struct set *set, char why[TLS_WHY_MAX])
{
	SSL_CTX *ctx = set->context = tls_context_new(TLS_server_method(), &t->settings, why);
	if (!ctx || !use_certificates(t, set, why))
		return false;
	SSL_CTX_set_session_id_context(ctx, t->scope, sizeof t->scope);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFE_S);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, t);
	ask_for_certificates(t, ctx);
	return true;
}

bool tls_server_finish(struct tls_server *t, char why[TLS_WHY_MAX])
{
	assert(t->certificate_n > 0 && t->set_n == 0);
	make_sets(t);
	for (size_t i = 0; i < t->set_n; i++)
		if (!make_context(t, &t->set[i], why))
			return false;
	tls_error_clear();
	return true;
}

/* ---- for streams ---- */

SSL *tls_server_ssl(struct tls_server *t)
{
	tls_context_use(t->set[0].context);
	return SSL_new(t->set[0].context);
}

static int print_name(BIO *b, X509_NAME *name)
{
	X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253);
	return (int)BIO_ctrl_pending(b);
}

static void put_hex(char *out, const uint8_t *at, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		*out++ = digits[at[i] >> 4];
		*out++ = digits[at[i] & 15];
	}
}

static struct tls_peer *make_peer(X509 *x, BIO *b)
{
	enum { NAMES_MAX = 8 * 1024 };
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	char *text;
	int subject = print_name(b, X509_get_subject_name(x));
	int both = print_name(b, X509_get_issuer_name(x)), der = i2d_X509(x, NULL);
	struct tls_peer *p = both <= NAMES_MAX && der > 0
	                             ? mem_try(sizeof *p + (size_t)both + (size_t)der)
	                             : NULL;
	if (!p || !X509_digest(x, EVP_sha256(), digest, &digest_len)) {
		mem_free(p);
		return NULL;
	}
	uint8_t *certificate = (uint8_t *)(p + 1) + both;
	p->certificate = slice_of(certificate, (size_t)der);
	i2d_X509(x, &certificate);
	BIO_get_mem_data(b, &text);
	memcpy(p + 1, text, (size_t)both);
	p->subject = slice_of(p + 1, (size_t)subject);
	p->issuer = slice_of(p->subject.at + subject, (size_t)(both - subject));
	put_hex(p->fingerprint, digest, sizeof p->fingerprint / 2);
	return p;
}

bool tls_server_note_peer(struct tls *t)
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);
	if (!x || t->server->verify == TLS_VERIFY_OFF || SSL_get_verify_result(t->ssl) != X509_V_OK)
		return true;
	BIO *b = BIO_new(BIO_s_mem());
	t->peer = b ? make_peer(x, b) : NULL;
	BIO_free(b);
	tls_error_clear();
	return t->peer != NULL;
}
