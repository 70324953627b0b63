/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Bodies (RFC 9112 6 and 7). A decoder that can stop and go on at every byte;
 * it finds where the body ends and which of the bytes are its content. Chunk
 * extensions and trailer lines are checked and passed over. Any thread. */

#include "http/head.h"

enum { HTTP_TRAILER_MAX = 16 * 1024, HTTP_CHUNK_LINE_MAX = 255 };

struct http_body {
	uint64_t left;    /* of the length, or of the current chunk */
	uint32_t trailer; /* bytes of trailer lines so far; over HTTP_TRAILER_MAX is an error */
	uint8_t framing;  /* enum http_framing */
	uint8_t state;    /* of the chunk parser */
	uint8_t line;     /* bytes of the current chunk-size line so far, for its limit */
	bool done;
};

void http_body_init(struct http_body *b, const struct http_head *h);

/* Takes bytes from the front of buf: *content is what of them belongs to the
 * body's content (may be empty). Returns the bytes used, or -1 for a body whose
 * framing is broken (then for ever). Call again while it uses bytes and is not
 * done; a body without end is done when the peer closes: http_body_end() says
 * whether that was a sound end. */
ssize_t http_body_read(struct http_body *b, const uint8_t *buf, size_t len, struct slice *content);
bool http_body_end(const struct http_body *b);
