/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Writes heads into a buffer of fixed size. The first piece that does not fit
 * sets `overflow`; it and all that follows are not written. Any thread. */

#include "base/slice.h"
#include "http/head.h"

struct http_writer {
	uint8_t *buf;
	size_t size, len;
	bool overflow;
};

static inline void http_writer_init(struct http_writer *w, void *buf, size_t size)
{
	*w = (struct http_writer){.buf = buf, .size = size};
}

void http_put(struct http_writer *w, struct slice bytes);
void http_put_status(struct http_writer *w, unsigned status); /* HTTP/1.1 404 Not Found CRLF */
/* The caller vouches that neither holds CR, LF or NUL. */
void http_put_field(struct http_writer *w, struct slice name, struct slice value);
void http_put_number(struct http_writer *w, struct slice name, uint64_t value);
void http_put_digits(struct http_writer *w, uint64_t value); /* in decimal */
void http_put_end(struct http_writer *w);                    /* the empty line */
/* The three digits of a status. */
void http_put_code(struct http_writer *w, unsigned status);
/* "Not Found" for 404; "" for a status without a name. */
const char *http_status_text(unsigned status);

/* Fields that concern one connection only and never pass a proxy (RFC 9110
 * 7.6.1): Connection and what it names, Keep-Alive, Proxy-*, TE, Trailer,
 * Transfer-Encoding, Upgrade. Host is never one, whatever Connection names.
 * f is a field of a parsed head. */
bool http_is_hop_by_hop(const struct http_field *f);
