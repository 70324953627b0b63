/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the rules of a session's route make of the heads that pass through it, and what
 * is decided from a request's head before anything else: who asks, and what the request is
 * called. Private to proxy/. One worker's thread. */

#include "proxy/session.h"

#include "http/handshake.h"
#include "proxy/rules.h"

/* Own lines always fit in addition to what a client may send; rules may not. */
enum { HEADERS_HEAD_MAX = HTTP_HEAD_MAX + 2048 };

/* At a request's first byte: whatever becomes of it, it is not the last one's. */
void headers_forget(struct session *s);
/* First of all at a request's head: s->client is who asks, by what a trusted proxy says.
 * False when memory is short, as below. */
bool headers_find_client(struct session *s, const struct http_head *head);
/* Once the route is known: the request's id. */
bool headers_name_request(struct session *s, const struct http_head *head);
/* That id: given by a trusted proxy, or own, of HEADERS_ID_LEN hex digits that nobody can
 * guess. Empty: the route wants none. The slice lies in the session or in buf. */
enum { HEADERS_ID_LEN = 32 };
struct slice headers_request_id(const struct session *s, char buf[HEADERS_ID_LEN]);

/* Writes the request for the upstream, with RULES_SERVER where the server's name goes; the
 * fields of head that stay behind are marked. NULL; or why it cannot be sent, with
 * the status to answer. */
const char *headers_put_request(struct session *s, struct http_writer *w, struct http_head *head,
        const char key[WS_KEY_LEN], unsigned *status);
/* Writes the lines that are added to the answer, while the request's head is there. */
void headers_put_response(
        const struct session *s, struct http_writer *w, const struct http_head *request);
/* Applies the route's rules to an answer of our own that w holds, whole; `lines` as
 * headers_put_response() wrote them. Rules that would make it too long are left out. */
void headers_edit(
        const struct session *s, struct http_writer *w, struct slice lines, struct slice server);
