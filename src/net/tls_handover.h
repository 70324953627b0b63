/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From OpenSSL, which makes the handshake, to ours, who protect the records (tls_traffic.h): when
 * that can be, and with which keys and sequence numbers. Those of TLS 1.3 are seen where they are
 * derived (tls_kdf.h), those of 1.2 OpenSSL tells, and its protocol messages count the records.
 *
 *   a server, and a client of TLS 1.2   at the end of the handshake; a server's tickets, which go
 *                                       out with it, are counted
 *   a client of TLS 1.3                 behind the receive that brought the server's tickets, which
 *                                       OpenSSL has to see, or behind the first data, once its
 *                                       owner has that. Later tickets are not used
 *   never                               with ciphers that are no AEAD of ours, or when keys have
 *                                       changed before
 *
 * The worker's thread. */

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

struct tls;
struct tls_handover;

/* With a new connection. False when memory is short. */
bool tls_handover_begin(struct tls *t);
/* Wiped and freed. */
void tls_handover_free(struct tls_handover *h);

/* Around calls of OpenSSL in which the handshake may go on. */
void tls_handover_watch(struct tls *t);
void tls_handover_unwatch(void);
/* For SSL_CTX_set_msg_callback(). */
void tls_handover_note_message(
        int is_written, int version, int type, const void *at, size_t len, SSL *ssl, void *arg);

/* Nothing stands in the way, except that tickets or data may have to come before. */
bool tls_handover_is_due(const struct tls *t);
/* Takes the records over and frees t->ssl. `has_data`: OpenSSL has read some, of a whole
 * record. False: OpenSSL goes on. */
bool tls_hand_over(struct tls *t, bool has_data);
