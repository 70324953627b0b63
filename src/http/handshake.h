/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Both opening handshakes (RFC 6455 4): judging a client's request, making the
 * request to an upstream, judging its answer, making the 101. Any thread. */

#include "http/head.h"
#include "http/key.h"
#include "http/writer.h"

enum { WS_PROTOCOLS_MAX = 100 };

enum upgrade_verdict {
	UPGRADE_OK,
	UPGRADE_NONE,           /* 426 with Upgrade: no Upgrade line lists websocket */
	UPGRADE_BAD_METHOD,     /* 405: anything but GET */
	UPGRADE_BAD_HTTP,       /* 505: HTTP/1.0 */
	UPGRADE_BAD_CONNECTION, /* 400: Connection does not list upgrade */
	UPGRADE_BAD_VERSION,    /* 426 with Sec-WebSocket-Version: 13: not exactly one 13 */
	UPGRADE_BAD_KEY,        /* 400: not exactly one key of 16 bytes in base64 */
	UPGRADE_BAD_BODY,       /* 400: a body; Content-Length: 0 is none */
	UPGRADE_BAD_PROTOCOL,   /* 400: a subprotocol line, but the lines together list no 1 to
	                           WS_PROTOCOLS_MAX distinct tokens */
};
unsigned upgrade_status(enum upgrade_verdict v);
/* A sentence for the log and the answer's body: what is wrong, what would be right. */
const char *upgrade_reason(enum upgrade_verdict v);

/* Judges a client's request; the first thing wrong in the order of the enum decides.
 * *key is the Sec-WebSocket-Key when all is well; it points into the head's buffer. */
enum upgrade_verdict upgrade_check(const struct http_head *h, struct slice *key);

/* Keeps of the subprotocols offered those that are among the n allowed, in the
 * client's order; a line that has none left goes. The values are rewritten where they
 * lie, in the buffer that was parsed. */
void upgrade_limit_protocols(struct http_head *h, const struct slice *allowed, size_t n);
/* The subprotocol offered first, or an empty slice. */
struct slice upgrade_first_protocol(const struct http_head *h);

/* Writes the whole request to an upstream: GET `target`, the client's end-to-end
 * fields in their order and spelling except those of the handshake, and the
 * handshake's own with the fresh key. Sec-WebSocket-Protocol stays; extensions are
 * not offered; Content-Length and Expect go. The Host line is `host` if that is not
 * empty, else the authority of an absolute target (RFC 9112 3.2.2), else the
 * client's, in its place; first of all when the client sent none. */
void upgrade_put_request(struct http_writer *w, const struct http_head *client, struct slice target,
        struct slice host, const char key[WS_KEY_LEN]);

/* The same in two steps, for further lines in between. */
void upgrade_begin_request(struct http_writer *w, const struct http_head *client,
        struct slice target, struct slice host);
void upgrade_end_request(struct http_writer *w, const char key[WS_KEY_LEN]);

/* Judges an upstream's answer of status 101: Upgrade is exactly websocket,
 * Connection lists upgrade, Sec-WebSocket-Accept is there once and right for `key`,
 * one subprotocol at most and one that was offered, no extension, no Content-Length
 * or Transfer-Encoding. `request` is the client's head or the one sent to the upstream;
 * only its Sec-WebSocket-Protocol lines are looked at.
 * NULL when the tunnel may open; otherwise what is wrong, for the log. */
const char *upgrade_check_answer(const struct http_head *answer, const char key[WS_KEY_LEN],
        const struct http_head *request);

/* Writes the whole 101 to the client: own handshake fields with `accept`, the value
 * for the client's key, then the upstream's subprotocol and its other end-to-end
 * fields except Alt-Svc, Content-* and the rest of Sec-WebSocket-*. `answer` has
 * passed upgrade_check_answer(). */
void upgrade_put_101(
        struct http_writer *w, const struct http_head *answer, const char accept[WS_ACCEPT_LEN]);
/* The same without an upstream: with this subprotocol unless it is empty. */
void upgrade_put_own_101(
        struct http_writer *w, const char accept[WS_ACCEPT_LEN], struct slice protocol);
/* Both without the empty line at their end, for further lines before it. */
void upgrade_begin_101(
        struct http_writer *w, const struct http_head *answer, const char accept[WS_ACCEPT_LEN]);
void upgrade_begin_own_101(
        struct http_writer *w, const char accept[WS_ACCEPT_LEN], struct slice protocol);
