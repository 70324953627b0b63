/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a session leaves for its record in the access log: copies of all that the record may tell,
 * as the session has them. The worker only gathers; the log's writer makes the text of it, many in
 * a row. Private to proxy/access*.c. */

#include "net/address.h"
#include "proxy/access.h"

/* Bytes that few or all sessions have, each of any length. They lie one behind the other. */
enum access_part {
	PART_REQUEST_ID,
	PART_PEER,     /* a struct address_brief */
	PART_LISTENER, /* the first of the four in struct access_where */
	PART_ROUTE,
	PART_UPSTREAM,
	PART_SERVER,
	PART_TLS_VERSION,
	PART_TLS_CIPHER,
	PART_TLS_SERVER_NAME,
	PART_TLS_SUBJECT,
	PART_TLS_ISSUER,
	PART_TLS_FINGERPRINT,
	PART_CLIENT_REASON, /* of close frames */
	PART_UPSTREAM_REASON,
	PART_REASON,
	PART_N
};

struct access_entry {
	uint64_t fields; /* that are wanted, as in struct access_settings */
	uint64_t wall_ms, id;
	const char *cause; /* a literal; NULL: the session begins, and of its end nothing is set */
	const char *closer;
	uint64_t bytes[2];
	uint32_t messages[2];
	uint32_t duration_ms;
	struct access_basics basics;
	struct address_brief client;
	uint16_t status; /* 0 = there was no answer */
	uint16_t own_code, close_code[2];
	uint8_t format; /* enum record_format */
	uint8_t error;  /* an errno that is to be told; 0 = none */
	bool was_open;  /* what passed is told */
	bool is_cut;
	bool has_closed[2]; /* a close frame came */
	bool has_counts;
	uint16_t len[PART_N];
	/* struct access_counts, if there is one; the request, as struct access has it; the parts.
	 */
	_Alignas(8) uint8_t rest[];
};

/* A log_record_fn: the text of an entry. */
size_t access_record(const void *entry, size_t len, char *out, size_t max);

/* Of the bytes that a side sent, those of control frames. `counts` may be NULL; `reason_len`: of
 * the reason in its close frame. */
uint64_t access_control_bytes(const struct access_basics *b, const struct access_counts *counts,
        size_t reason_len, unsigned side);

static inline size_t access_request_len(const struct access_basics *b)
{
	return (size_t)b->method_len + b->host_len + b->target_len + b->origin_len;
}
