/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS as a listener speaks it: certificates, chosen by the name that a client asks for, and what
 * clients have to show. Made by the control thread, then immutable, counted by references and
 * shared by all workers.
 *
 * A name leads to one certificate for each type of key, the first that was given; what has the same
 * ones shares a context. */

#include "base/slice.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <stdint.h>

struct tls;
struct tls_server;

enum tls_verify { TLS_VERIFY_OFF, TLS_VERIFY_OPTIONAL, TLS_VERIFY_ON };

struct tls_server_settings {
	struct tls_settings tls;
	bool refuse_unknown; /* clients that ask for no name, or an unknown one, are refused;
	                        otherwise they get the first certificate */
	enum tls_verify verify;
	struct slice client_ca; /* PEM; with `verify` */
	const char *scope;      /* who resumes whose sessions: of the same scope and client_ca */
};

/* NULL with why. The settings are copied as far as they are needed. */
struct tls_server *tls_server_new(const struct tls_server_settings *s, char why[TLS_WHY_MAX]);
struct tls_server *tls_server_ref(struct tls_server *t);
void tls_server_unref(struct tls_server *t);

/* Before tls_server_finish(). A certificate with the chain behind it, and its key, in PEM. False
 * with why: they are no such, or do not belong together. */
bool tls_server_add(
        struct tls_server *t, struct slice chain, struct slice key, char why[TLS_WHY_MAX]);
/* An answer of an OCSP responder, in DER, for one of the certificates. */
bool tls_server_add_ocsp(struct tls_server *t, struct slice der, char why[TLS_WHY_MAX]);
/* TLS_TICKET_FILE bytes. */
void tls_server_add_ticket_key(struct tls_server *t, struct slice file);
/* False with why. */
bool tls_server_finish(struct tls_server *t, char why[TLS_WHY_MAX]);

/* Of the certificate that was added last: seconds it has left, and whether it has begun. */
long tls_server_left(const struct tls_server *t, bool *has_begun);
/* Of the OCSP answer that was added last: it is out of date. */
bool tls_server_ocsp_is_old(const struct tls_server *t);

/* For streams: a new one; NULL when memory is short. */
SSL *tls_server_ssl(struct tls_server *t);
/* After the handshake: keeps who the client has proved to be. False when memory is short. */
bool tls_server_note_peer(struct tls *t);
