/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* OpenSSL's errors as words. It keeps them in a queue per thread, where one that was left behind
 * would be taken for the next connection's: whoever made a call that failed empties it. Any
 * thread. */

#include <stdbool.h>
#include <stddef.h>

enum { TLS_WHY_MAX = 256 };

/* Why the last call failed; the queue is empty then. Returns out. */
const char *tls_error_take(char out[TLS_WHY_MAX]);
/* Whether the words are of tls_key_why(): a private key is to blame. */
bool tls_why_is_key(const char *why);
void tls_key_why(char out[TLS_WHY_MAX], const char *reason);
/* Empties the queue, if somebody has left something there. */
void tls_error_clear(void);
