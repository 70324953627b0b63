/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* From OpenSSL, which makes the handshake, to ours, who protect the records (tls_traffic.h): when
 * that can be, and with which keys and sequence numbers. OpenSSL tells them by its public callbacks
 * for key logs and protocol messages.
 *
 *   a server, and a client of TLS 1.2   at the end of the handshake; a server's tickets, which go
 *                                       out with it, are counted
 *   a client of TLS 1.3                 behind the first record of data: until then come the
 *                                       server's tickets, which OpenSSL has to see. Later ones are
 *                                       not used
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

/* For the callbacks of OpenSSL: a line of the key log; a message, as SSL_CTX_set_msg_callback()
 * says. */
void tls_handover_note_secret(struct tls *t, const char *line);
void tls_handover_note_message(
        int is_written, int version, int type, const void *at, size_t len, SSL *ssl, void *arg);

/* Nothing stands in the way, except that the first data may have to come before. */
bool tls_handover_is_due(const struct tls *t);
/* Takes the records over and frees t->ssl. `has_data`: OpenSSL has read some, of a whole
 * record. False: OpenSSL goes on. */
bool tls_hand_over(struct tls *t, bool has_data);
