/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Records of TLS 1.3 with AES-128-GCM, for raw-tls: by OpenSSL's AEAD, and nothing besides. Written
 * apart from src/, as all of the benchmark. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RECORD_HEAD = 5,
	RECORD_DATA = 16 * 1024,
	RECORD_MORE = 1 + 16, /* behind the data: its type and the tag */
	RECORD_MAX = RECORD_HEAD + RECORD_DATA + 256,
	RECORD_SECRET = 32,
};

enum { RECORD_ALERT = 21, RECORD_OF_DATA = 23 };

/* One direction. */
struct record_keys {
	void *cipher;
	uint64_t number; /* of the next record */
	uint8_t nonce[12];
};

/* Once. */
void record_init(void);

/* Keys of a traffic secret (RFC 8446 7.3), with which no record was made yet. */
void record_keys_init(struct record_keys *k, const uint8_t secret[RECORD_SECRET], int seals);
void record_keys_fini(struct record_keys *k);

/* Writes a record of at most RECORD_DATA bytes and returns its length. The byte behind them is
 * written, and is what it was in the end. */
size_t record_seal(struct record_keys *k, uint8_t type, uint8_t *at, size_t len, uint8_t *out);

/* The length of the record that begins with these bytes, 0 when that is not known yet. */
size_t record_len(const uint8_t *at, size_t len);
/* Opens a whole record and returns the length of its content, of which *type says what it is; -1:
 * it is none. `out` takes the record's length. */
ssize_t record_open(
        struct record_keys *k, const uint8_t *record, size_t len, uint8_t *out, uint8_t *type);
