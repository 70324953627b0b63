/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Records of TLS 1.3 (RFC 8446 5) and of TLS 1.2 with an AEAD (RFC 5246 6.2.3.3, RFC 5288, RFC
 * 7905): made and opened in buffers of the caller's, one direction of a connection at a time. No
 * I/O. One thread. */

#include "base/slice.h"
#include "net/tls_keys.h"

#include <sys/types.h>

enum {
	TLS_RECORD_HEAD = 5,
	TLS_RECORD_DATA = 16 * 1024, /* of the content, at most (RFC 8446 5.1) */
	/* Behind the head, at most (5.2); and all. */
	TLS_RECORD_BODY = TLS_RECORD_DATA + 256,
	TLS_RECORD_MAX = TLS_RECORD_HEAD + TLS_RECORD_BODY,
};

struct tls_record {
	const struct tls_suite *suite;
	void *cipher; /* of its AEAD; owned */
	uint64_t n;   /* the sequence number: so many records went before, with this key */
	uint8_t nonce[TLS_NONCE];
	uint8_t explicit_len; /* bytes of the nonce that go with each record */
	bool is_1_3, seals;
};

/* `n` records went before with this key. False when memory is short. */
bool tls_record_init(struct tls_record *r, const struct tls_suite *s, const struct tls_key *key,
        bool is_1_3, bool seals, uint64_t n);
void tls_record_fini(struct tls_record *r);
/* From now on with another key. False when memory is short. */
bool tls_record_rekey(struct tls_record *r, const struct tls_key *key);

/* What a record takes beside its content. */
size_t tls_record_overhead(const struct tls_record *r);

/* Writes one record of the pieces, which hold at most TLS_RECORD_DATA bytes together; returns its
 * length, or 0 when memory is short. */
size_t tls_record_seal(
        struct tls_record *r, uint8_t type, const struct slice *v, size_t n, uint8_t *out);

/* The length of a record by its head, of TLS_RECORD_HEAD bytes; or the alert that it deserves,
 * negative. */
ssize_t tls_record_len(const struct tls_record *r, const uint8_t *head);
/* Opens a whole record. `out`, not in it, holds as much as its body. Returns the length of the
 * content and its type, or the alert that it deserves, negative. */
ssize_t tls_record_open(
        struct tls_record *r, const uint8_t *record, size_t len, uint8_t *out, uint8_t *type);
/* The record that was opened last will be opened once more. */
static inline void tls_record_again(struct tls_record *r)
{
	r->n--;
}
