/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS as it is spoken to the servers of an upstream: whom to believe, what to show, and the last
 * session with each server, so that the next connection is set up faster. Made by the control
 * thread; then only the sessions change, under a lock. Counted by references and shared by all
 * workers. */

#include "base/slice.h"
#include "net/tls_context.h"

#include <stdbool.h>
#include <stdint.h>

struct tls;
struct tls_client;

struct tls_client_settings {
	struct tls_settings tls;
	unsigned depth;          /* CAs between it and a trusted one, at most; 0 = any */
	bool no_1_3;             /* TLS 1.2 is the newest */
	bool is_mute;            /* says nothing of the protocol that will be spoken (ALPN) */
	bool verify;             /* the server's certificate, and that it holds its name */
	struct slice ca;         /* PEM; empty: the system's */
	struct slice crl;        /* PEM, lists of revoked certificates; empty: none */
	const char *commands;    /* for OpenSSL, one a line: `NAME VALUE`; NULL = none */
	const char *name;        /* that is asked for and verified; NULL = the server's own */
	struct slice chain, key; /* PEM, shown to servers that ask for it; empty = none */
	uint64_t scope; /* the same for clients whose connections are as good as each other's; 0 =
	                   no other client's */
};

/* How an error begins that is one of settings.commands. */
#define TLS_NO_COMMAND "OpenSSL does not take "

/* Calls fn for each file that settings.commands name, which OpenSSL reads when the client is made.
 */
void tls_client_command_files(
        const char *commands, void (*fn)(void *owner, const char *path), void *owner);

/* NULL with why. */
struct tls_client *tls_client_new(const struct tls_client_settings *s, char why[TLS_WHY_MAX]);
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client *c);

/* Never 0. */
uint64_t tls_client_scope(const struct tls_client *c);

/* Of the certificate that is shown: seconds it has left, and whether it has begun. False: there is
 * none. */
bool tls_client_left(const struct tls_client *c, long *left, bool *has_begun);

/* For streams: a new one; NULL when memory is short. */
SSL *tls_client_ssl(struct tls_client *c);
/* Before the handshake: whom to expect, and the session to go on with. False when memory is
 * short. */
bool tls_client_expect(struct tls *t);
/* The same by wishes. False also for a certificate that its key does not fit. */
struct tls_wish;
bool tls_client_expect_as(struct tls *t, const struct tls_wish *wish);
/* The handshake that was to go on with a session has failed, or hangs, perhaps because of it: it is
 * forgotten, and for a minute none is kept of this server. */
void tls_client_distrust(const struct tls *t);
