/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS of the load generator's clients, and of both sides of the ledger: as send() and recv(), on a
 * socket that does not block. Whoever is not what it should be ends the program. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct secure;

/* Once; `resume`: connections go on with the session of an earlier one. One suite, so that all
 * servers do the same work. */
void secure_init(bool resume);
struct secure *secure_new(int fd);
/* The other side: with a certificate and its key, in PEM files. */
void secure_serve(const char *certificate, const char *key);
struct secure *secure_accept(int fd);
void secure_free(struct secure *s);

/* The handshake is part of them. -1 with EAGAIN: secure_wants_write() tells what for. They go on
 * until all is sent, or nothing more has come. */
ssize_t secure_send(struct secure *s, const void *at, size_t len);
ssize_t secure_recv(struct secure *s, void *to, size_t size);
bool secure_wants_write(const struct secure *s);
/* Part of what the last secure_send() was to send is on its way: the next one has to begin with as
 * much. */
bool secure_owes(const struct secure *s);
/* What secure_recv() had no room for. */
bool secure_has_more(const struct secure *s);

/* Handshakes so far, and those that went on with a session. */
unsigned long secure_handshakes(void), secure_resumed(void);
