/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What goes over a TLS connection after OpenSSL has handed it over (tls_handover.h): records,
 * opened from where they were received and sealed into where they are sent from, and the few
 * messages that TLS still has for itself:
 *
 *   alerts                 close_notify ends the peer's part; what else 1.3 knows is fatal
 *   KeyUpdate (1.3)        is done, and answered if that is asked for; own keys change in time
 *   NewSessionTicket (1.3) is skipped
 *   renegotiation (1.2)    is refused by a warning
 *
 * Of these, and of records without content, only so many come in a second. One worker's thread. */

#include "base/slice.h"
#include "net/tls_keys.h"

#include <stdbool.h>

struct tls;
struct tls_traffic;

struct tls_traffic_keys {
	const struct tls_suite *suite;
	bool is_1_3;
	struct tls_key read, write;
	uint64_t read_n, write_n; /* records that went before */
	uint8_t read_secret[TLS_SECRET_MAX], write_secret[TLS_SECRET_MAX]; /* of TLS 1.3 */
};

/* Keeps what is known of the connection from t->ssl. NULL when memory is short. */
struct tls_traffic *tls_traffic_new(struct tls *t, const struct tls_traffic_keys *k);
void tls_traffic_free(struct tls_traffic *f);

/* As tls_openssl_open() and its like (tls_private.h). */
struct slice tls_traffic_open(struct tls *t, struct slice *in, size_t max);
bool tls_traffic_send(struct tls *t, const struct slice *v, size_t n);
void tls_traffic_close(struct tls *t);

/* What is to be sent, but is no answer of the handshake's, goes out in front of what is sent next.
 */
void tls_traffic_hold(struct tls *t);

/* Bytes of a record are kept; all of one, for which there was no room. */
bool tls_traffic_has_part(const struct tls_traffic *f);
bool tls_traffic_has_whole(const struct tls_traffic *f);

/* What is known of the connection. */
struct tls_known {
	const char *version, *cipher;
	struct slice server_name;
	bool is_resumed, verifies;
	long verify_result;
	SSL_SESSION *session; /* NULL: is not asked for */
};
const struct tls_known *tls_traffic_known(const struct tls_traffic *f);
