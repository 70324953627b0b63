/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The header of the PROXY protocol, versions 1 (a line) and 2 (binary), by which a proxy
 * says for whom it connects, before anything else. No I/O. Any thread. */

#include "net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PROXY_HEADER_LINE_MAX = 107,  /* of version 1, its end included */
	PROXY_HEADER_MAX = 16 + 4096, /* of version 2, what is skipped included */
	PROXY_HEADER_WRITE_MAX = 128, /* of those that are written here */
};

enum proxy_header_version { PROXY_HEADER_OFF, PROXY_HEADER_V1, PROXY_HEADER_V2 };

/* Why a header was refused. */
enum proxy_header_error {
	PROXY_HEADER_OK,
	PROXY_HEADER_MISSING,   /* the first bytes belong to no header */
	PROXY_HEADER_LINE,      /* version 1: not exactly the line that the protocol wants */
	PROXY_HEADER_LINE_SIZE, /* version 1: no end within 107 bytes */
	PROXY_HEADER_COMMAND,   /* version 2: another version, or neither LOCAL nor PROXY */
	PROXY_HEADER_FAMILY,    /* version 2: no family or transport that there is */
	PROXY_HEADER_SHORT,     /* version 2: too short for its addresses */
	PROXY_HEADER_SIZE,      /* version 2: over PROXY_HEADER_MAX */
};
/* A few words for the log. */
const char *proxy_header_reason(enum proxy_header_error error);

struct proxy_header {
	bool is_told; /* false: LOCAL, UNKNOWN, UNSPEC: the connection's own ends are meant */
	struct address_brief source, destination; /* of unix sockets only the family */
};

/* Reads a header of either version at the front of buf. Returns the bytes it used, 0
 * when buf holds only part of one, or -PROXY_HEADER_*, as soon as that is certain. What
 * version 2 adds to the addresses is skipped. *out is written when the header is whole.
 * The verdict does not depend on how the bytes were split. */
ssize_t proxy_header_parse(struct proxy_header *out, const uint8_t *buf, size_t len);

/* Writes a header for a connection from `source` to `destination`. When they are of two
 * families both are written as IPv6. Without a destination (NULL, or a unix socket) it is
 * the unspecified address; without a source nothing is told: LOCAL, or UNKNOWN. Returns
 * its bytes, 0 for PROXY_HEADER_OFF. */
size_t proxy_header_write(uint8_t out[PROXY_HEADER_WRITE_MAX], enum proxy_header_version version,
        const struct address_brief *source, const struct address_brief *destination);
