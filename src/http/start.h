/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* First lines of heads: the request line and the status line (RFC 9112 3 and 4).
 * For head.c. */

#include "http/head.h"

/* Judges as much of a request's method as there is. Returns its length once the
 * space behind it is there, 0 while it may go on, or -HTTP_ERR_*. */
int start_check_method(const uint8_t *at, size_t len);
/* Judges as much of a status line as there is, up to the byte behind the status.
 * Returns 1 when all of that is there, 0 while it is not, or -HTTP_ERR_*. */
int start_check_status(const uint8_t *at, size_t len);

/* The whole line, without its CRLF; it has passed the check above, and
 * the caller has kept its length to what the longest target needs. Fill the parts of
 * h that stand in it. */
enum http_error start_read_request(struct http_head *h, struct slice line, size_t method_len);
void start_read_status(struct http_head *h, struct slice line);
