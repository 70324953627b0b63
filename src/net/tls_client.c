/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_client.h"

#include "base/mem.h"
#include "net/tls_private.h"
#include "net/tls_stream.h"
#include "net/worker.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
	SESSIONS_MAX = 64,   /* as many servers as a group has; of more the least used goes */
	DISTRUST_MS = 60000, /* in which a server that failed for its session is offered none */
};

struct known {
	char *key;            /* owned; NULL = free */
	SSL_SESSION *session; /* NULL = none, and none is kept before `from_ms` */
	uint64_t used, from_ms;
};

struct tls_client {
	atomic_uint refs;
	SSL_CTX *context;
	uint64_t id; /* no other one's; in its sessions, too */
	uint64_t scope;
	char *name; /* owned */
	bool verify;
	pthread_mutex_t lock; /* of what follows */
	uint64_t turn;
	struct known known[SESSIONS_MAX];
};

/* ---- sessions ---- */

static struct known *find(struct tls_client *c, const char *key)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (c->known[i].key && strcmp(c->known[i].key, key) == 0)
			return &c->known[i];
	return NULL;
}

static struct known *oldest(struct tls_client *c)
{
	struct known *found = &c->known[0];
	for (size_t i = 0; i < SESSIONS_MAX && found->key; i++)
		if (!c->known[i].key || c->known[i].used < found->used)
			found = &c->known[i];
	return found;
}

static void forget(struct known *k)
{
	mem_free(k->key);
	SSL_SESSION_free(k->session);
	*k = (struct known){.key = NULL};
}

/* An entry for the key, without a session; `k`: that there is already, or NULL. */
static struct known *renew(struct tls_client *c, struct known *k, const char *key)
{
	if (!k)
		k = oldest(c);
	forget(k);
	*k = (struct known){.key = mem_strdup(key), .used = ++c->turn};
	return k;
}

/* Keeps a copy: the connection, which may be another thread's than the one that goes on with the
 * session, goes on using its own. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls *t = tls_of(ssl);
	struct tls_client *c = t->client;
	bool is_wanted = t->key && SSL_SESSION_is_resumable(session);
	SSL_SESSION *copy = is_wanted ? SSL_SESSION_dup(session) : NULL;
	if (!copy)
		return 0;
	pthread_mutex_lock(&c->lock);
	struct known *k = find(c, t->key);
	if (k && t->stream->worker->now_ms < k->from_ms) {
		SSL_SESSION_free(copy);
	} else {
		k = renew(c, k, t->key);
		k->session = copy;
	}
	pthread_mutex_unlock(&c->lock);
	return 0;
}

void tls_client_distrust(const struct tls *t)
{
	struct tls_client *c = t->client;
	pthread_mutex_lock(&c->lock);
	struct known *k = renew(c, find(c, t->key), t->key);
	k->from_ms = t->stream->worker->now_ms + DISTRUST_MS;
	pthread_mutex_unlock(&c->lock);
}

/* A copy of its own: OpenSSL notes things in a session while it is used. */
static SSL_SESSION *session_for(struct tls_client *c, const char *key)
{
	SSL_SESSION *copy = NULL;
	pthread_mutex_lock(&c->lock);
	struct known *k = find(c, key);
	if (k && k->session) {
		copy = SSL_SESSION_dup(k->session);
		k->used = ++c->turn;
	}
	pthread_mutex_unlock(&c->lock);
	return copy;
}

/* ---- making ---- */

static bool add_crls(SSL_CTX *ctx, const struct tls_client_settings *s, char why[TLS_WHY_MAX])
{
	return s->crl.len == 0 || tls_store_add_crls(SSL_CTX_get_cert_store(ctx), s->crl, why);
}

static bool set_ca(SSL_CTX *ctx, const struct tls_client_settings *s, char why[TLS_WHY_MAX])
{
	if (!s->verify)
		return true;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_on_verify);
	if (s->depth)
		SSL_CTX_set_verify_depth(ctx, (int)s->depth);
	if (s->ca.len == 0 && SSL_CTX_set_default_verify_paths(ctx))
		return add_crls(ctx, s, why);
	X509_STORE *store = s->ca.len > 0 ? tls_read_store(s->ca, why) : NULL;
	if (store)
		SSL_CTX_set_cert_store(ctx, store);
	else if (s->ca.len == 0)
		tls_error_take(why);
	return store && add_crls(ctx, s, why);
}

static bool set_certificate(
        SSL_CTX *ctx, const struct tls_client_settings *s, char why[TLS_WHY_MAX])
{
	if (s->chain.len == 0)
		return true;
	STACK_OF(X509) *chain = tls_read_certificates(s->chain, why);
	EVP_PKEY *key = chain ? tls_read_key(s->key, why) : NULL;
	bool is_good = false;
	if (key) {
		X509 *leaf = sk_X509_shift(chain);
		if (!X509_check_private_key(leaf, key))
			tls_key_why(why, "it does not belong to the certificate");
		else if (SSL_CTX_use_cert_and_key(ctx, leaf, key, chain, 1))
			is_good = true;
		else
			tls_error_take(why);
		X509_free(leaf);
	}
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return is_good;
}

enum { COMMAND_MAX = 300 };

static SSL_CONF_CTX *commander(const char *commands)
{
	SSL_CONF_CTX *conf = commands ? SSL_CONF_CTX_new() : NULL;
	if (conf)
		SSL_CONF_CTX_set_flags(conf,
		        SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_CERTIFICATE);
	return conf;
}

/* The name becomes `line`. Returns the value; NULL: there are no more. */
static const char *next_command(const char **at, char line[COMMAND_MAX])
{
	size_t len = *at ? strcspn(*at, "\n") : 0;
	if (len == 0)
		return NULL;
	snprintf(line, COMMAND_MAX, "%.*s", (int)len, *at);
	*at += len;
	*at += strspn(*at, "\n");
	char *value = line + strcspn(line, " ");
	if (*value)
		*value++ = '\0';
	return value + strspn(value, " ");
}

void tls_client_command_files(
        const char *commands, void (*fn)(void *owner, const char *path), void *owner)
{
	SSL_CONF_CTX *conf = commander(commands);
	char line[COMMAND_MAX];
	const char *value;
	while (conf && (value = next_command(&commands, line)))
		if (SSL_CONF_cmd_value_type(conf, line) == SSL_CONF_TYPE_FILE)
			fn(owner, value);
	SSL_CONF_CTX_free(conf);
}

/* As OpenSSL's own files of settings have them; they go before all others. */
static bool run_commands(SSL_CTX *ctx, const char *commands, char why[TLS_WHY_MAX])
{
	SSL_CONF_CTX *conf = commander(commands);
	bool is_good = conf || !commands;
	char line[COMMAND_MAX] = "memory", words[TLS_WHY_MAX];
	const char *value;
	if (conf)
		SSL_CONF_CTX_set_ssl_ctx(conf, ctx);
	while (is_good && (value = next_command(&commands, line)))
		is_good = SSL_CONF_cmd(conf, line, value) > 0;
	is_good = is_good && (!conf || SSL_CONF_CTX_finish(conf));
	SSL_CONF_CTX_free(conf);
	if (!is_good)
		snprintf(why, TLS_WHY_MAX, TLS_NO_COMMAND "%.60s: %.150s", line,
		        tls_error_take(words));
	return is_good;
}

struct tls_client *tls_client_new(const struct tls_client_settings *s, char why[TLS_WHY_MAX])
{
	static const unsigned char protocols[] = "\x08http/1.1";
	static atomic_uint_least64_t last;
	SSL_CTX *ctx = tls_context_new(TLS_client_method(), &s->tls, why);
	if (!ctx)
		return NULL;
	if (s->no_1_3)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (!set_ca(ctx, s, why) || !set_certificate(ctx, s, why) ||
	        !run_commands(ctx, s->commands, why)) {
		SSL_CTX_free(ctx);
		tls_error_clear();
		return NULL;
	}
	if (!s->is_mute)
		SSL_CTX_set_alpn_protos(ctx, protocols, sizeof protocols - 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	struct tls_client *c = mem_new(sizeof *c);
	c->id = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
	SSL_CTX_set_session_id_context(ctx, (const uint8_t *)&c->id, sizeof c->id);
	atomic_init(&c->refs, 1);
	pthread_mutex_init(&c->lock, NULL);
	c->context = ctx;
	c->scope = s->scope ? s->scope : ~c->id;
	c->name = s->name ? mem_strdup(s->name) : NULL;
	c->verify = s->verify;
	tls_error_clear();
	return c;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void tls_client_unref(struct tls_client *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		forget(&c->known[i]);
	SSL_CTX_free(c->context);
	pthread_mutex_destroy(&c->lock);
	mem_free(c->name);
	mem_free(c);
}

uint64_t tls_client_scope(const struct tls_client *c)
{
	return c->scope;
}

bool tls_client_left(const struct tls_client *c, long *left, bool *has_begun)
{
	const X509 *x = SSL_CTX_get0_certificate(c->context);
	if (x)
		*left = tls_certificate_left(x, has_begun);
	return x != NULL;
}

/* ---- for streams ---- */

SSL *tls_client_ssl(struct tls_client *c)
{
	tls_context_use(c->context);
	return SSL_new(c->context);
}

static bool is_address(const char *name)
{
	struct in6_addr a;
	return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

static bool expect_name(const struct tls *t, const char *name, bool verify)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	if (is_address(name))
		return !verify || X509_VERIFY_PARAM_set1_ip_asc(param, name);
	if (!SSL_set_tlsext_host_name(t->ssl, name))
		return false;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return !verify || SSL_set1_host(t->ssl, name);
}

bool tls_client_expect(struct tls *t)
{
	struct tls_client *c = t->client;
	if (!expect_name(t, c->name ? c->name : t->name, c->verify))
		return false;
	SSL_SESSION *session = session_for(c, t->key);
	if (session && SSL_set_session(t->ssl, session))
		t->flags |= TLS_GOES_ON;
	SSL_SESSION_free(session);
	return true;
}

static bool show(const struct tls *t, const struct tls_wish *wish)
{
	X509 *own = sk_X509_value(wish->chain, 0);
	STACK_OF(X509) *others = sk_X509_dup(wish->chain);
	sk_X509_shift(others);
	bool is_good = own && others && SSL_use_cert_and_key(t->ssl, own, wish->key, others, 1);
	sk_X509_free(others);
	return is_good;
}

/* Whose a session is: the client's with its own certificate, or with that of a wish. The server
 * takes whoever goes on with it for the same one, and asks for none. 0 when memory is short. */
static unsigned name_maker(uint8_t out[SSL_MAX_SID_CTX_LENGTH], const struct tls_client *c,
        const struct tls_wish *wish)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0, room = SSL_MAX_SID_CTX_LENGTH - sizeof c->id;
	memcpy(out, &c->id, sizeof c->id);
	if (!wish->chain)
		return sizeof c->id;
	if (!X509_digest(sk_X509_value(wish->chain, 0), EVP_sha256(), digest, &len))
		return 0;
	if (len > room)
		len = room;
	memcpy(out + sizeof c->id, digest, len);
	return (unsigned)sizeof c->id + len;
}

static bool is_by(const SSL_SESSION *session, const uint8_t *maker, unsigned maker_len)
{
	unsigned len;
	const uint8_t *id = SSL_SESSION_get0_id_context(session, &len);
	return len == maker_len && memcmp(id, maker, len) == 0;
}

/* No certificate is looked at then: that of the session has to be what the wish asks for, and
 * believed for the same reasons. Else the handshake is a whole one. */
static void go_on(struct tls *t, const struct tls_wish *wish)
{
	X509 *peer = SSL_SESSION_get0_peer(wish->session);
	if (!SSL_set_session(t->ssl, wish->session) || !wish->verify)
		return;
	if (SSL_get_verify_result(t->ssl) == X509_V_OK && peer &&
	        (!wish->name || tls_certificate_is_of(peer, wish->name)))
		return;
	SSL_set_session(t->ssl, NULL);
	SSL_set_verify_result(t->ssl, X509_V_OK);
}

bool tls_client_expect_as(struct tls *t, const struct tls_wish *wish)
{
	if (!wish->verify)
		SSL_set_verify(t->ssl, SSL_VERIFY_NONE, NULL);
	if (wish->name && !expect_name(t, wish->name, wish->verify))
		return false;
	if (wish->chain && !show(t, wish))
		return false;
	uint8_t maker[SSL_MAX_SID_CTX_LENGTH];
	unsigned len = name_maker(maker, t->client, wish);
	if (len == 0 || !SSL_set_session_id_context(t->ssl, maker, len))
		return false;
	if (wish->session && is_by(wish->session, maker, len))
		go_on(t, wish);
	return true;
}
