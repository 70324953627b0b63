/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS on a stream of any kind. Once it was put there, the stream's owner sends and receives what it
 * protects, by the same functions and with the same promises; marks and progress count what waits
 * as ciphertext. One worker's thread.
 *
 *   SECURING  the handshake is under way. What the owner sends is kept until its end, then goes
 *             out, and on_connect is told
 *   secured   one receive is decrypted and delivered as a whole; a paused stream decrypts nothing
 *   closed    a close_notify has come: on_end(EOF), after all that came before it. An end of the
 *             connection without one is told in the same way; tls_is_truncated() knows of it
 *   failed    on_end(ERROR) with EPROTO, and tls_failure() tells the reason in words
 *
 * Who speaks plain HTTP where TLS is due gets no TLS: the stream loses it, as if it had never been
 * put there, and the bytes are the owner's.
 *
 * A stream that is freed without reset, when nothing waits to be sent, says close_notify first. */

#include "base/slice.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

struct stream;
struct tls_client;
struct tls_server;

/* Awaits a client's handshake. `early` was received behind what the owner took for itself (a PROXY
 * header); it is copied. False when memory is short, and nothing has changed. */
bool tls_accept(struct stream *s, struct tls_server *server, struct slice early);

/* Begins a handshake as a client: at once, behind what was sent before. `name` is whose certificate
 * is wanted, a host name or an address, and `key` under what sessions with it are remembered. False
 * when memory is short, and nothing has changed. */
bool tls_connect(struct stream *s, struct tls_client *client, const char *name, const char *key);

/* The same for one connection with wishes of its own, in place of what the context says. */
struct tls_wish {
	const char *name; /* that is asked for, and if `verify` is wanted in the certificate; NULL =
	                     none */
	bool verify;
	struct ssl_session_st *session; /* to go on with, if the same client made it, showing the
	                                   same certificate, and the server's is good for these
	                                   wishes; NULL = none */
	struct stack_st_X509 *chain;    /* shown to a server that asks; NULL = the context's */
	EVP_PKEY *key;
};
bool tls_connect_as(struct stream *s, struct tls_client *client, const struct tls_wish *wish);
/* tls_client_scope() of who made the connection; 0: it has no TLS, or this end is the server. */
uint64_t tls_scope(const struct stream *s);
/* The session that was made; the caller frees it. NULL: none. */
struct ssl_session_st *tls_session(const struct stream *s);
/* Why the peer's certificate was not accepted: X509_V_ERR_..., or X509_V_OK. */
long tls_verify_result(const struct stream *s);

/* The peer's certificate was verified, and is one for that name (NULL: for any). */
bool tls_is_verified(const struct stream *s, const char *name);

/* What is known once the handshake is finished. What is not, or not given, is empty. */
struct tls_info {
	const char *version, *cipher;
	struct slice server_name; /* that the client asked for */
	bool is_resumed;
	/* Of the client's verified certificate: names as RFC 2253 writes them, and the SHA-256
	 * of it in hex. */
	struct slice subject, issuer, fingerprint;
	struct slice certificate; /* itself, as DER */
};
/* False: the stream is not secured. The text lasts as long as the stream. */
bool tls_describe(const struct stream *s, struct tls_info *out);

/* Why TLS failed; NULL = it did not. Lasts as long as the stream. */
const char *tls_failure(const struct stream *s);
/* It failed, or the connection did, in a handshake that was to go on with a session that is kept.
 * When the stream is freed, that is forgotten. */
bool tls_failed_resuming(const struct stream *s);
/* The handshake has begun and is not waited for any longer: the session that it was to go on with,
 * which may be what it hangs for, is forgotten. */
void tls_doubt_session(struct stream *s);
/* The handshake has begun and will not be waited for any longer: notes why. False: it has not
 * begun, or is finished. */
bool tls_give_up(struct stream *s, const char *why);
/* The name that was asked for, even if TLS failed; empty: none. */
struct slice tls_server_name(const struct stream *s);
/* The connection ended without a close_notify. */
bool tls_is_truncated(const struct stream *s);
/* Something waits for the end of the handshake, or of a message of the peer's. */
bool tls_has_early(const struct stream *s);

/* For stream.c. */
void tls_received(struct stream *s, size_t len);
/* The end was read: false = there is something to deliver, or to fail for, first. */
bool tls_may_end(struct stream *s);
void tls_part(struct stream *s);
