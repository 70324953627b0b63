/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What of a reply of a name server is believed. The reply is the answer to a question
 * that was asked (c-ares has compared id, question and where it came from); here the
 * chain of aliases is followed and what does not belong to it left aside. No I/O. */

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type { DNS_A, DNS_AAAA, DNS_SRV };

enum {
	DNS_NAME_MAX = 256, /* a name as text, with its NUL; a longer one is no host's */
	DNS_RECORDS_MAX = 64,
	DNS_ALIASES_MAX = 16,
};

struct dns_target {
	uint16_t priority, weight, port;
	char host[DNS_NAME_MAX]; /* "" = the service is not offered here (RFC 2782) */
};

struct dns_reply {
	enum dns_type type;
	uint32_t ttl_s; /* the least of all records used */
	size_t n;       /* at most DNS_RECORDS_MAX; further ones are left aside */
	union {
		uint8_t ip[DNS_RECORDS_MAX][16]; /* the first 4 of each for DNS_A */
		struct dns_target target[DNS_RECORDS_MAX];
	};
};

enum dns_verdict {
	DNS_OK,
	DNS_EMPTY,  /* sound, and no such record */
	DNS_LOOP,   /* aliases that lead round, or on and on */
	DNS_BROKEN, /* not to be read */
};

/* The type's number in questions. */
int dns_type_number(enum dns_type type);
/* Reads a reply to the question for records of that type. Fills *out as far as DNS_OK. */
enum dns_verdict dns_read(
        struct dns_reply *out, enum dns_type type, const uint8_t *reply, size_t len);
/* What a verdict other than DNS_OK says in a log. */
const char *dns_reason(enum dns_verdict v);
