/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An answer of an OCSP responder about a certificate, sent along with it. Read by one thread, then
 * immutable. */

#include "base/slice.h"
#include "net/tls_error.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <time.h>

struct tls_ocsp {
	uint8_t *der; /* owned; NULL = none */
	size_t len;
	time_t until; /* 0 = it does not say */
};

enum tls_ocsp_verdict { TLS_OCSP_TAKEN, TLS_OCSP_OTHER, TLS_OCSP_BAD };

/* Takes an answer that is about this certificate; TLS_OCSP_OTHER: it is about another one.
 * Otherwise why not. `issuer` may be NULL: not known. */
enum tls_ocsp_verdict tls_ocsp_read(struct tls_ocsp *o, struct slice der, const X509 *leaf,
        X509 *issuer, char why[TLS_WHY_MAX]);
/* Whether it is an answer at all, about whatever certificate; false with why. */
bool tls_ocsp_is_sound(struct slice der, char why[TLS_WHY_MAX]);
void tls_ocsp_fini(struct tls_ocsp *o);
bool tls_ocsp_is_fresh(const struct tls_ocsp *o);
/* Puts it into a handshake; not when it is out of date. */
bool tls_ocsp_staple(const struct tls_ocsp *o, SSL *ssl);
