/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Between OpenSSL and the streams of a worker. OpenSSL reads ciphertext from where it was received,
 * and writes it to one buffer of the worker, so that whatever one call makes leaves in one
 * send. What is decrypted goes to another, from which it is delivered. Both are there from the
 * first use of TLS on the worker on. The worker's thread. */

#include "base/slice.h"

#include <openssl/bio.h>
#include <stdbool.h>

struct stream;
struct stream_ops;
struct tls;
struct worker;

enum { TLS_WIRE_OUT = 96 * 1024, TLS_GATHER_MAX = 16 * 1024 };

struct tls_wire {
	uint8_t *plain;  /* WORKER_RX_SIZE bytes, WORKER_RX_HEADROOM before them */
	uint8_t *gather; /* TLS_GATHER_MAX bytes: pieces that shall share a record */
	uint8_t *out;    /* TLS_WIRE_OUT bytes of ciphertext */
	size_t out_len;
	const struct tls *reader; /* whose ciphertext `in` is; NULL = nobody's */
	struct slice in;
};

/* The worker's; made if it is not there. NULL when memory is short. */
struct tls_wire *tls_wire_of(struct worker *w);
void tls_wire_free(struct tls_wire *wire);
/* The transport of one SSL: reads what tls_wire.in holds for `t`, writes to `out` of s's
 * worker, which it empties through `below` when it is full. NULL when memory is short. */
BIO *tls_wire_bio(struct tls *t);
/* Sends what is in `out`. False when the stream has failed. */
bool tls_wire_flush(struct tls *t);
