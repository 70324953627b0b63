/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Answers other than the 101: Moongate's own, whole, and the heads of those that
 * are relayed from an upstream. Any thread. */

#include "http/handshake.h"
#include "http/head.h"
#include "http/writer.h"

struct http_answer {
	unsigned status;
	bool keep_alive;    /* the connection goes on after this answer */
	bool head;          /* it answers HEAD: the same head, no body */
	struct slice extra; /* more header lines, each with its CRLF, or empty */
	struct slice text;  /* a sentence for the body: what was wrong, what would be right;
	                       empty: the status' own */
};

/* Writes a whole answer: status line, Content-Type, Content-Length, Connection
 * (always, so that HTTP/1.0 understands it too), and the body
 * "404 Not Found: no route for this path.\n". A 426 carries Upgrade: websocket, a
 * 405 Allow: GET. 204 and 304 have no body and no Content-Length. */
void http_put_answer(struct http_writer *w, const struct http_answer *a);

/* The answer to a head that was refused. It always closes: where the next request
 * would begin is not known. */
void http_put_error(struct http_writer *w, enum http_error error);

/* The answer to a request that may not be upgraded (not UPGRADE_OK); Connection as
 * keep_alive says for UPGRADE_NONE, close for all others. */
void http_put_refusal(
        struct http_writer *w, enum upgrade_verdict v, bool keep_alive, bool answers_head);

/* Writes the head of an upstream's answer other than 1xx, with its status, reason
 * and end-to-end fields, Sec-WebSocket-* left out. Content-Length is kept when it is
 * the answer's framing; otherwise the caller adds its own, or none if it closes at
 * the body's end. The caller also writes the empty line: http_put_end(). */
void http_put_relayed(struct http_writer *w, const struct http_head *answer, bool keep_alive);
