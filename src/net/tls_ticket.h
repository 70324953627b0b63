/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Keys that protect session tickets, so that no server keeps sessions. Either of files, which
 * nodes share: the first is used for new tickets, all for old ones. Or the process's own, which
 * all listeners and workers share, renewed every hour; the two before it still open tickets. */

#include "base/slice.h"

#include <openssl/ssl.h>
#include <stdbool.h>

enum {
	TLS_TICKET_FILE = 80, /* bytes: a name of 16, 32 for HMAC-SHA-256, 32 for AES-256-CBC */
	TLS_TICKET_KEYS_MAX = 16,
	TLS_TICKET_ROTATE_S = 3600,
	TLS_TICKET_LIFE_S = 2 * TLS_TICKET_ROTATE_S, /* of a session */
};

struct tls_ticket_key {
	uint8_t name[16], hmac[32], aes[32];
};

/* Given keys; none: the process's own are used. */
struct tls_ticket_keys {
	struct tls_ticket_key *key; /* owned */
	size_t n;
};

/* One key more, of TLS_TICKET_FILE bytes. */
void tls_ticket_add(struct tls_ticket_keys *k, struct slice file);
void tls_ticket_fini(struct tls_ticket_keys *k);
/* The process's own keys are so much older. For tests. */
void tls_ticket_age(uint64_t ms);
/* Lets contexts of servers use them; the callback finds them by the SSL (tls_server.c). */
int tls_ticket_crypt(const struct tls_ticket_keys *k, uint8_t *name, uint8_t *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt);
