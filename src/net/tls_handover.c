/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_handover.h"

#include "base/mem.h"
#include "net/tls_kdf.h"
#include "net/tls_private.h"
#include "net/tls_traffic.h"

#include <string.h>

struct tls_handover {
	/* Traffic secrets of TLS 1.3; the lengths are 0 until they are known. */
	uint8_t client[TLS_SECRET_MAX], server[TLS_SECRET_MAX];
	uint8_t client_len, server_len;
	bool is_off;              /* there will be none */
	bool has_ticket;          /* the server has sent one, or more */
	uint64_t read_n, write_n; /* records since the last change of keys */
	int64_t odd_n;            /* bytes in those read that were of no whole message */
};

bool tls_handover_begin(struct tls *t)
{
	t->handover = mem_try(sizeof *t->handover);
	if (t->handover)
		*t->handover = (struct tls_handover){.is_off = false};
	return t->handover != NULL;
}

void tls_handover_free(struct tls_handover *h)
{
	if (h)
		OPENSSL_cleanse(h, sizeof *h);
	mem_free(h);
}

/* ---- what OpenSSL tells ---- */

static bool is_label(const uint8_t *label, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(label, wanted, len) == 0;
}

/* A traffic secret is made when its keys come into use, after what was written with the last
 * ones. */
static void on_secret(
        void *arg, const uint8_t *label, size_t label_len, const uint8_t *secret, size_t len)
{
	struct tls *t = arg;
	struct tls_handover *h = t->handover;
	bool is_client = is_label(label, label_len, "c ap traffic");
	if (!is_client && !is_label(label, label_len, "s ap traffic"))
		return;
	memcpy(is_client ? h->client : h->server, secret, len);
	*(is_client ? &h->client_len : &h->server_len) = (uint8_t)len;
	bool is_ours = is_client == !t->server;
	*(is_ours ? &h->write_n : &h->read_n) = 0;
	if (!is_ours)
		h->odd_n = 0;
}

void tls_handover_watch(struct tls *t)
{
	if (t->handover)
		tls_kdf_watch(on_secret, t);
}

void tls_handover_unwatch(void)
{
	tls_kdf_watch(NULL, NULL);
}

/* OpenSSL keeps the first bytes of a message's head where nobody sees them. So what records of
 * TLS 1.3 brought is weighed against the messages that came of it; padding weighs too, which does
 * no harm but delay. */
static void weigh_record(struct tls_handover *h, const uint8_t *head)
{
	enum { TYPE_AND_TAG = 1 + 16 }; /* of the suites that are ours */
	h->odd_n += (head[3] << 8 | head[4]) - TYPE_AND_TAG;
}

static void note_message(struct tls_handover *h, bool is_written, uint8_t type, size_t len)
{
	if (type == SSL3_MT_KEY_UPDATE)
		h->is_off = true;
	if (is_written)
		return;
	h->has_ticket |= type == SSL3_MT_NEWSESSION_TICKET;
	h->odd_n -= (int64_t)len;
}

/* A record's head is told before it is read, and when it has been written; a message when it is
 * whole. */
void tls_handover_note_message(
        int is_written, int version, int type, const void *at, size_t len, SSL *ssl, void *arg)
{
	(void)version, (void)arg;
	struct tls *t = tls_of(ssl);
	const uint8_t *bytes = at;
	if (!t || !t->handover || len == 0)
		return;
	if (type == SSL3_RT_HANDSHAKE)
		note_message(t->handover, is_written, bytes[0], len);
	if (type != SSL3_RT_HEADER)
		return;
	uint64_t *n = is_written ? &t->handover->write_n : &t->handover->read_n;
	*n = bytes[0] == SSL3_RT_CHANGE_CIPHER_SPEC ? 0 : *n + 1;
	if (!is_written && len >= SSL3_RT_HEADER_LENGTH)
		weigh_record(t->handover, bytes);
}

/* ---- handing over ---- */

static bool keys_of(struct tls *t, struct tls_traffic_keys *k)
{
	const struct tls_handover *h = t->handover;
	struct tls_key client, server;
	bool is_good, is_client = !t->server;
	if (k->is_1_3) {
		is_good = h->client_len == k->suite->hash_len &&
		          h->server_len == k->suite->hash_len &&
		          tls_key_of_secret(k->suite, h->client, &client) &&
		          tls_key_of_secret(k->suite, h->server, &server);
		memcpy(k->write_secret, is_client ? h->client : h->server, TLS_SECRET_MAX);
		memcpy(k->read_secret, is_client ? h->server : h->client, TLS_SECRET_MAX);
	} else {
		is_good = tls_keys_of_master(k->suite, t->ssl, &client, &server);
	}
	if (is_good) {
		k->write = is_client ? client : server;
		k->read = is_client ? server : client;
	}
	OPENSSL_cleanse(&client, sizeof client);
	OPENSSL_cleanse(&server, sizeof server);
	return is_good;
}

bool tls_handover_is_due(const struct tls *t)
{
	return t->ssl && t->handover && !t->handover->is_off;
}

/* OpenSSL holds nothing, and the peer has not ended. */
static bool is_between_records(const struct tls *t)
{
	return SSL_is_init_finished(t->ssl) && !tls_openssl_has_part(t) &&
	       SSL_get_shutdown(t->ssl) == 0;
}

static bool has_tickets(const struct tls_handover *h)
{
	return h->has_ticket && h->odd_n == 0;
}

static void give_up(struct tls *t)
{
	tls_handover_free(t->handover);
	t->handover = NULL;
	tls_error_clear();
}

bool tls_hand_over(struct tls *t, bool has_data)
{
	struct tls_traffic_keys k;
	if (!tls_handover_is_due(t))
		return false;
	k = (struct tls_traffic_keys){.is_1_3 = SSL_version(t->ssl) == TLS1_3_VERSION,
	        .suite = tls_suite_of(SSL_get_current_cipher(t->ssl)),
	        .read_n = t->handover->read_n,
	        .write_n = t->handover->write_n};
	bool is_early = k.is_1_3 && t->client && !has_data && !has_tickets(t->handover);
	if (k.suite && (is_early || !is_between_records(t)))
		return false;
	bool is_sound = k.suite && keys_of(t, &k);
	t->traffic = is_sound ? tls_traffic_new(t, &k) : NULL;
	OPENSSL_cleanse(&k, sizeof k);
	give_up(t);
	if (!t->traffic)
		return false;
	/* Or OpenSSL would hold it against the session that nobody has said goodbye. */
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	t->ssl = NULL;
	t->idle_n = 0; /* OpenSSL's steps are not messages */
	return true;
}
