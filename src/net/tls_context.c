/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_context.h"

#include "net/stream.h"
#include "net/sys.h"
#include "net/tls_handover.h"
#include "net/tls_kdf.h"
#include "net/tls_private.h"
#include "net/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In a second: KeyUpdates, tickets, warnings. A KeyUpdate takes five steps with its answer, one or
 * two without. */
enum { IDLE_STEPS_MAX = 160 };

/* ---- the log of secrets ---- */

static atomic_int key_log_fd = -1;
/* Held while it is written to and exchanged: a number that was closed may be a connection's next.
 */
static pthread_mutex_t key_log_lock = PTHREAD_MUTEX_INITIALIZER;

static int open_key_log(const char *path)
{
	return sys_open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
}

bool tls_key_log_check(const char *path)
{
	int fd = open_key_log(path);
	if (fd >= 0)
		sys_close(fd);
	return fd >= 0;
}

bool tls_key_log_open(const char *path)
{
	int fd = path ? open_key_log(path) : -1;
	if (path && fd < 0)
		return false;
	pthread_mutex_lock(&key_log_lock);
	int before = atomic_exchange(&key_log_fd, fd);
	pthread_mutex_unlock(&key_log_lock);
	if (before >= 0)
		sys_close(before);
	return true;
}

/* One write for a line, so that those of several threads do not mix. */
static void on_secret(const SSL *ssl, const char *line)
{
	(void)ssl;
	char text[512];
	int n = snprintf(text, sizeof text, "%s\n", line);
	if (n <= 0 || (size_t)n >= sizeof text)
		return;
	pthread_mutex_lock(&key_log_lock);
	int fd = atomic_load(&key_log_fd);
	ssize_t done = fd >= 0 ? write(fd, text, (size_t)n) : 0;
	pthread_mutex_unlock(&key_log_lock);
	(void)done;
	OPENSSL_cleanse(text, sizeof text);
}

/* OpenSSL makes the lines whether they are wanted or not, which takes a twentieth of a handshake.
 * So it is asked only once they are. */
void tls_context_use(SSL_CTX *ctx)
{
	if (atomic_load_explicit(&key_log_fd, memory_order_relaxed) < 0)
		return;
	pthread_mutex_lock(&key_log_lock);
	SSL_CTX_set_keylog_callback(ctx, on_secret);
	pthread_mutex_unlock(&key_log_lock);
}

/* ---- contexts ---- */

/* After the handshake a peer may say that keys change, offer tickets, warn; not all day. Called for
 * each such message, and for our answer to it, but not for data. */
static void on_step(const SSL *ssl, int where, int value)
{
	(void)value;
	struct tls *t = tls_of(ssl);
	if (!(where & (SSL_CB_LOOP | SSL_CB_ALERT)) || !t || t->stream->flags & STREAM_SECURING ||
	        t->flags & TLS_SHUT)
		return;
	uint32_t now_s = (uint32_t)(t->stream->worker->now_ms / 1000);
	if (now_s != t->idle_s)
		t->idle_n = 0;
	t->idle_s = now_s;
	if (++t->idle_n > IDLE_STEPS_MAX)
		t->flags |= TLS_FLOOD;
}

enum { TLS_NAME_MAX = 80 }; /* of an algorithm */

static bool refuse(char why[TLS_WHY_MAX], const char *what, const char *value)
{
	char words[TLS_WHY_MAX - 40];
	char full[TLS_WHY_MAX];
	snprintf(words, sizeof words, "%s", tls_error_take(full));
	snprintf(why, TLS_WHY_MAX, "%s: %.150s: %.60s", what, words, value);
	return false;
}

/* OpenSSL takes what it knows of a list and keeps silent about the rest: so each name that is to be
 * added is tried alone. */
static bool knows_all(SSL_CTX *ctx, const char *list, int (*set)(SSL_CTX *, const char *),
        char name[TLS_NAME_MAX])
{
	static const char separators[] = ":, ;";
	for (const char *at = list; *at; at += strspn(at, separators)) {
		size_t len = strcspn(at, separators);
		snprintf(name, TLS_NAME_MAX, "%.*s", (int)len, at);
		at += len;
		if (len > 0 && !strchr("!-+@", name[0]) && !set(ctx, name))
			return false;
	}
	return true;
}

static bool set_list(SSL_CTX *ctx, const char *list, const char *usual,
        int (*set)(SSL_CTX *, const char *), const char *what, char why[TLS_WHY_MAX])
{
	char name[TLS_NAME_MAX];
	if (strcmp(list, usual) != 0 && !knows_all(ctx, list, set, name))
		return refuse(why, what, name);
	return set(ctx, list) || refuse(why, what, list);
}

static bool set_one(
        SSL_CTX *ctx, const struct tls_settings *s, enum tls_list which, char why[TLS_WHY_MAX])
{
	switch (which) {
	case TLS_LIST_CIPHERS:
		return set_list(ctx, s->ciphers, TLS_CIPHERS, SSL_CTX_set_cipher_list,
		        "OpenSSL knows no such ciphers", why);
	case TLS_LIST_SUITES:
		return set_list(ctx, s->ciphersuites, TLS_CIPHERSUITES, SSL_CTX_set_ciphersuites,
		        "OpenSSL knows no such ciphersuites", why);
	case TLS_LIST_GROUPS:
		return SSL_CTX_set1_groups_list(ctx, s->groups) ||
		       refuse(why, "OpenSSL knows no such groups", s->groups);
	default:
		return true;
	}
}

static bool set_algorithms(SSL_CTX *ctx, const struct tls_settings *s, char why[TLS_WHY_MAX])
{
	SSL_CTX_set_min_proto_version(
	        ctx, s->min_version == TLS_FLOOR_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	for (int i = 0; i < TLS_LISTS; i++)
		if (!set_one(ctx, s, (enum tls_list)i, why))
			return false;
	return true;
}

bool tls_context_knows(const struct tls_settings *s, enum tls_list which, char why[TLS_WHY_MAX])
{
	SSL_CTX *ctx = SSL_CTX_new_ex(NULL, tls_kdf_properties(), TLS_method());
	bool knows = ctx && set_one(ctx, s, which, why);
	if (!ctx)
		tls_error_take(why);
	SSL_CTX_free(ctx);
	tls_error_clear();
	return knows;
}

SSL_CTX *tls_context_new(
        const SSL_METHOD *method, const struct tls_settings *s, char why[TLS_WHY_MAX])
{
	SSL_CTX *ctx = SSL_CTX_new_ex(NULL, tls_kdf_properties(), method);
	if (!ctx) {
		tls_error_take(why);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_info_callback(ctx, on_step);
	SSL_CTX_set_msg_callback(ctx, tls_handover_note_message);
	if (set_algorithms(ctx, s, why))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

int tls_on_verify(int is_good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = tls_of(ssl);
	if (!is_good && t->depth < 0)
		t->depth = (int8_t)X509_STORE_CTX_get_error_depth(store);
	return is_good;
}

/* ---- PEM ---- */

static BIO *open_pem(struct slice pem)
{
	return pem.len <= INT_MAX ? BIO_new_mem_buf(pem.at, (int)pem.len) : NULL;
}

static bool is_at_end(void)
{
	unsigned long e = ERR_peek_last_error();
	return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * tls_read_certificates(struct slice pem, char why[TLS_WHY_MAX])
{
	BIO *b = open_pem(pem);
	STACK_OF(X509) *all = sk_X509_new_null();
	X509 *x;
	why[0] = '\0';
	while (b && all && (x = PEM_read_bio_X509_AUX(b, NULL, NULL, NULL)))
		sk_X509_push(all, x);
	if (!b || !all || !is_at_end())
		tls_error_take(why);
	else if (sk_X509_num(all) == 0)
		snprintf(why, TLS_WHY_MAX, "it holds no certificate in PEM");
	/* What OpenSSL works out of a certificate when it is used first: here, by one thread. */
	for (int i = 0; why[0] == '\0' && i < sk_X509_num(all); i++)
		X509_check_purpose(sk_X509_value(all, i), -1, 0);
	tls_error_clear();
	BIO_free(b);
	if (why[0] == '\0')
		return all;
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

/* Nobody is there to be asked. */
static int no_password(char *buf, int size, int for_writing, void *is_asked)
{
	(void)buf, (void)size, (void)for_writing;
	*(bool *)is_asked = true;
	return -1;
}

EVP_PKEY *tls_read_key(struct slice pem, char why[TLS_WHY_MAX])
{
	BIO *b = open_pem(pem);
	bool is_asked = false;
	char words[TLS_WHY_MAX];
	EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, &is_asked) : NULL;
	if (!key && is_asked)
		tls_key_why(why, "it is encrypted: want one without a passphrase");
	else if (!key && !memmem(pem.at, pem.len, "PRIVATE KEY-----", 16))
		tls_key_why(why, "there is none in PEM");
	else if (!key)
		tls_key_why(why, tls_error_take(words));
	tls_error_clear();
	BIO_free(b);
	return key;
}

X509_STORE *tls_read_store(struct slice pem, char why[TLS_WHY_MAX])
{
	STACK_OF(X509) *all = tls_read_certificates(pem, why);
	X509_STORE *store = all ? X509_STORE_new() : NULL;
	for (int i = 0; store && i < sk_X509_num(all); i++)
		X509_STORE_add_cert(store, sk_X509_value(all, i));
	if (all && !store)
		tls_error_take(why);
	tls_error_clear();
	sk_X509_pop_free(all, X509_free);
	return store;
}

bool tls_store_add_crls(X509_STORE *store, struct slice pem, char why[TLS_WHY_MAX])
{
	BIO *b = open_pem(pem);
	X509_CRL *crl;
	size_t n = 0;
	why[0] = '\0';
	while (b && (crl = PEM_read_bio_X509_CRL(b, NULL, NULL, NULL))) {
		n += X509_STORE_add_crl(store, crl) == 1;
		X509_CRL_free(crl);
	}
	if (!b || !is_at_end())
		tls_error_take(why);
	else if (n == 0)
		snprintf(why, TLS_WHY_MAX, "it holds no list of revoked certificates in PEM");
	else
		X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	tls_error_clear();
	BIO_free(b);
	return why[0] == '\0';
}

long tls_certificate_left(const X509 *x, bool *has_begun)
{
	int days = 0, seconds = 0;
	*has_begun = X509_cmp_current_time(X509_get0_notBefore(x)) < 0;
	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
		return 0;
	return (long)days * 86400 + seconds;
}
