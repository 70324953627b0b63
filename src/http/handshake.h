/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Both opening handshakes (RFC 6455 4): judging a client's request, making the
 * request to an upstream, judging its answer, making the 101. No I/O. */

#include "http/head.h"
#include "http/writer.h"

enum { WS_KEY_LEN = 24, WS_ACCEPT_LEN = 28 };

enum upgrade_verdict {
	UPGRADE_OK,
	UPGRADE_NONE,          /* asks for no upgrade to websocket: 426 with Upgrade */
	UPGRADE_BAD_VERSION,   /* 426 with Sec-WebSocket-Version: 13 */
	UPGRADE_BAD_METHOD,    /* 405: an upgrade by anything but GET */
	UPGRADE_BAD_HTTP,      /* 505: an upgrade in HTTP/1.0 */
	UPGRADE_BAD_KEY,       /* 400 */
	UPGRADE_BAD_CONNECTION,/* 400: Upgrade without Connection: upgrade */
	UPGRADE_BAD_BODY,      /* 400: an upgrade with a body */
	UPGRADE_BAD_PROTOCOL,  /* 400: subprotocols that are no list of distinct tokens, or over 100 of them */
};
unsigned upgrade_status(enum upgrade_verdict v);
const char *upgrade_reason(enum upgrade_verdict v);

/* Judges a client's request in the order of the enum's numbers after NONE that
 * FAULTS H-04, H-05, H-12, H-13, H-19 ask for. *key is the Sec-WebSocket-Key. */
enum upgrade_verdict upgrade_check(const struct http_head *h, struct slice *key);

/* Sec-WebSocket-Accept for a key (4.2.2 step 5.4). Any thread; each thread keeps
 * one digest context. */
void ws_accept_value(char out[WS_ACCEPT_LEN], struct slice key);
/* A fresh Sec-WebSocket-Key: base64 of 16 random bytes. */
void ws_key_make(char out[WS_KEY_LEN]);

/* Writes the request to an upstream: the client's request line with `target`,
 * its end-to-end fields in their order except those of the handshake, and the
 * handshake's own with the fresh key. Extensions are not offered. `host` replaces
 * the Host line when not empty. */
void upgrade_put_request(struct http_writer *w, const struct http_head *client, struct slice target,
	struct slice host, const char key[WS_KEY_LEN]);

/* Judges an upstream's answer of status 101: Upgrade, Connection, the accept
 * value, a subprotocol that was offered (one at most), no extension, no body.
 * `request` is the head that was sent to the upstream.
 * NULL when the tunnel may open; otherwise what is wrong, for the log. */
const char *upgrade_check_answer(const struct http_head *answer, const char key[WS_KEY_LEN],
	const struct http_head *request);

/* Writes the 101 to the client: own handshake fields, the accept value for the
 * client's key, the upstream's subprotocol and its other end-to-end fields except
 * Alt-Svc, Content-* and Sec-WebSocket-Extensions. */
void upgrade_put_101(struct http_writer *w, const struct http_head *answer,
	const char accept[WS_ACCEPT_LEN]);
