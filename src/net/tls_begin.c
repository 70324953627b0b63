/* SPDX-License-Identifier: BSD-2-Clause */

/* How TLS is put on a stream, taken off it again, and what is known of it. */

#include "base/mem.h"
#include "net/tls_client.h"
#include "net/tls_handover.h"
#include "net/tls_private.h"
#include "net/tls_server.h"
#include "net/tls_stream.h"
#include "net/tls_traffic.h"
#include "net/worker.h"

#include <assert.h>
#include <openssl/x509v3.h>

static struct tls *tls_new(struct stream *s, SSL *ssl)
{
	struct tls *t = ssl ? mem_try(sizeof *t) : NULL;
	struct tls_wire *wire = tls_wire_of(s->worker);
	BIO *bio = NULL;
	if (!t || !wire)
		goto fail;
	*t = (struct tls){.stream = s, .below = s->ops, .wire = wire, .ssl = ssl, .depth = -1};
	bio = tls_handover_begin(t) ? tls_wire_bio(t) : NULL;
	if (!bio)
		goto fail_late;
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, t);
	return t;
fail_late:
	tls_handover_free(t->handover);
fail:
	mem_free(t);
	SSL_free(ssl);
	tls_error_clear();
	return NULL;
}

void tls_free(struct tls *t)
{
	struct pool *chunks = &t->stream->worker->chunks;
	if (tls_failed_resuming(t->stream))
		tls_client_distrust(t);
	/* Or OpenSSL holds a missing close_notify against the session, which is as good as before.
	 */
	if (t->ssl && !(t->flags & TLS_DEAD))
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_handover_free(t->handover);
	tls_traffic_free(t->traffic);
	queue_clear(&t->kept, chunks);
	queue_clear(&t->early, chunks);
	tls_server_unref(t->server);
	tls_client_unref(t->client);
	mem_free(t->peer);
	mem_free(t->why);
	mem_free(t->name);
	mem_free(t);
}

static void put_on(struct stream *s, struct tls *t)
{
	assert(!tls_on(s));
	t->ops = tls_ops;
	s->ops = &t->ops;
	s->flags |= STREAM_SECURING;
}

bool tls_accept(struct stream *s, struct tls_server *server, struct slice early)
{
	struct tls *t = tls_new(s, tls_server_ssl(server));
	if (!t)
		return false;
	if (early.len > 0 && !queue_append(&t->kept, &s->worker->chunks, &early, 1)) {
		tls_free(t);
		return false;
	}
	t->server = tls_server_ref(server);
	SSL_set_accept_state(t->ssl);
	put_on(s, t);
	if (early.len > 0) {
		t->flags |= TLS_MORE;
		s->flags |= STREAM_READABLE;
		stream_make_ready(s);
	}
	return true;
}

/* Both in one piece; the key is behind the name. */
static char *keep_names(struct tls *t, const char *name, const char *key)
{
	size_t name_len = strlen(name) + 1, key_len = strlen(key) + 1;
	t->name = mem_try(name_len + key_len);
	if (!t->name)
		return NULL;
	memcpy(t->name, name, name_len);
	t->key = t->name + name_len;
	memcpy(t->key, key, key_len);
	return t->name;
}

/* `is_ready`: t knows whom it is to find, and there was memory for that. */
static bool begin_client(struct stream *s, struct tls *t, bool is_ready)
{
	if (!is_ready) {
		tls_error_clear();
		tls_free(t);
		return false;
	}
	SSL_set_connect_state(t->ssl);
	put_on(s, t);
	t->flags |= TLS_BEGUN;
	tls_greet(t);
	return true;
}

bool tls_connect(struct stream *s, struct tls_client *client, const char *name, const char *key)
{
	struct tls *t = tls_new(s, tls_client_ssl(client));
	if (!t)
		return false;
	t->client = tls_client_ref(client);
	return begin_client(s, t, keep_names(t, name, key) && tls_client_expect(t));
}

bool tls_connect_as(struct stream *s, struct tls_client *client, const struct tls_wish *wish)
{
	struct tls *t = tls_new(s, tls_client_ssl(client));
	if (!t)
		return false;
	t->client = tls_client_ref(client);
	return begin_client(s, t, tls_client_expect_as(t, wish));
}

/* ---- who speaks no TLS ---- */

bool tls_is_http(const struct tls *t, uint8_t first)
{
	return t->server && !(t->flags & TLS_BEGUN) && first >= 'A' && first <= 'Z';
}

bool tls_kept_is_http(const struct tls *t)
{
	struct iovec v;
	return queue_iov(&t->kept, &v, 1) > 0 && tls_is_http(t, *(const uint8_t *)v.iov_base);
}

/* An answer that was meant to be protected says no more than that there is no service. */
static void send_early_in_clear(struct tls *t)
{
	struct stream *s = t->stream;
	struct iovec v;
	while (queue_iov(&t->early, &v, 1) > 0) {
		struct slice piece = slice_of(v.iov_base, v.iov_len);
		t->below->send(s, &piece, 1);
		queue_drop(&t->early, &s->worker->chunks, v.iov_len);
	}
	if (t->flags & TLS_SHUT)
		t->below->shutdown(s);
}

void tls_undress(struct tls *t)
{
	struct stream *s = t->stream;
	s->ops = t->below;
	s->flags &= (uint16_t)~STREAM_SECURING;
	send_early_in_clear(t);
	tls_free(t);
}

void tls_undress_kept(struct tls *t)
{
	struct stream *s = t->stream;
	struct pool *chunks = &s->worker->chunks;
	struct queue kept = t->kept;
	struct iovec v;
	t->kept = (struct queue){.first = NULL};
	tls_undress(t);
	while (!(s->flags & STREAM_RELEASED) && queue_iov(&kept, &v, 1) > 0) {
		memcpy(stream_open(s->worker->rx), v.iov_base, v.iov_len);
		queue_drop(&kept, chunks, v.iov_len);
		stream_give(s, s->worker->rx, v.iov_len);
	}
	queue_clear(&kept, chunks);
}

/* ---- what is known ---- */

static struct tls_known known_of(const struct tls *t)
{
	if (t->traffic)
		return *tls_traffic_known(t->traffic);
	const char *name = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	return (struct tls_known){.version = SSL_get_version(t->ssl),
	        .cipher = SSL_get_cipher_name(t->ssl),
	        .server_name = name ? slice_str(name) : SLICE(""),
	        .is_resumed = SSL_session_reused(t->ssl),
	        .verifies = SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER,
	        .verify_result = SSL_get_verify_result(t->ssl),
	        .session = SSL_get_session(t->ssl)};
}

uint64_t tls_scope(const struct stream *s)
{
	return tls_on(s) && tls_on(s)->client ? tls_client_scope(tls_on(s)->client) : 0;
}

struct ssl_session_st *tls_session(const struct stream *s)
{
	SSL_SESSION *session = tls_on(s) ? known_of(tls_on(s)).session : NULL;
	if (session)
		SSL_SESSION_up_ref(session);
	return session;
}

long tls_verify_result(const struct stream *s)
{
	return tls_on(s) ? known_of(tls_on(s)).verify_result : X509_V_OK;
}

bool tls_certificate_is_of(X509 *x, const char *name)
{
	return X509_check_ip_asc(x, name, 0) == 1 ||
	       X509_check_host(x, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

bool tls_is_verified(const struct stream *s, const char *name)
{
	if (!tls_on(s))
		return false;
	struct tls_known known = known_of(tls_on(s));
	X509 *peer = known.session ? SSL_SESSION_get0_peer(known.session) : NULL;
	if (!peer || !known.verifies || known.verify_result != X509_V_OK)
		return false;
	return !name || tls_certificate_is_of(peer, name);
}

struct slice tls_server_name(const struct stream *s)
{
	return tls_on(s) ? known_of(tls_on(s)).server_name : SLICE("");
}

bool tls_describe(const struct stream *s, struct tls_info *out)
{
	const struct tls *t = tls_on(s);
	if (!t || s->flags & STREAM_SECURING)
		return false;
	const struct tls_peer *peer = t->peer;
	struct tls_known known = known_of(t);
	*out = (struct tls_info){.version = known.version,
	        .cipher = known.cipher,
	        .server_name = known.server_name,
	        .is_resumed = known.is_resumed,
	        .subject = peer ? peer->subject : SLICE(""),
	        .issuer = peer ? peer->issuer : SLICE(""),
	        .fingerprint = peer ? slice_of((const uint8_t *)peer->fingerprint,
	                                      sizeof peer->fingerprint)
	                            : SLICE(""),
	        .certificate = peer ? peer->certificate : SLICE("")};
	return true;
}

const char *tls_failure(const struct stream *s)
{
	return tls_on(s) ? tls_on(s)->why : NULL;
}

/* In a handshake that is to go on with a session. */
static bool is_resuming(const struct stream *s)
{
	const struct tls *t = tls_on(s);
	return t && t->flags & TLS_GOES_ON &&
	       (s->flags & (STREAM_SECURING | STREAM_CONNECTING)) == STREAM_SECURING;
}

bool tls_failed_resuming(const struct stream *s)
{
	return s->flags & STREAM_FAILED && is_resuming(s);
}

void tls_doubt_session(struct stream *s)
{
	if (is_resuming(s))
		tls_client_distrust(tls_on(s));
}

bool tls_give_up(struct stream *s, const char *why)
{
	struct tls *t = tls_on(s);
	if (!t || !(s->flags & STREAM_SECURING) || !(t->flags & TLS_BEGUN) || t->why)
		return false;
	t->why = mem_strdup(why);
	counter_inc(&s->worker->counters.tls_errors);
	return true;
}

bool tls_is_truncated(const struct stream *s)
{
	return tls_on(s) && tls_on(s)->flags & TLS_TRUNCATED;
}

bool tls_has_early(const struct stream *s)
{
	return tls_on(s) && !queue_is_empty(&tls_on(s)->early);
}
