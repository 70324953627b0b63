/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Heads of HTTP/1.x messages (RFC 9112), parsed without copies: every slice
 * points into the caller's buffer. Strict: obsolete folding, bare CR or LF, a
 * space before a colon, control bytes and doubtful lengths are refused, since
 * each has carried an attack. Nothing is allocated. Any thread. */

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	HTTP_HEAD_MAX = 32 * 1024,
	HTTP_LINES_MAX = 100, /* header lines */
	HTTP_LINE_MAX = 16 * 1024,
	HTTP_TARGET_MAX = 8 * 1024,
	HTTP_METHOD_MAX = 32,
	HTTP_OPTIONS_MAX = 100, /* members of Connection other than close, keep-alive, upgrade */
};

/* Header names that Moongate itself looks at. */
enum http_name {
	HTTP_OTHER,
	HTTP_CONNECTION,
	HTTP_CONTENT_LENGTH,
	HTTP_HOST,
	HTTP_KEEP_ALIVE,
	HTTP_ORIGIN,
	HTTP_PROXY_AUTHENTICATE,
	HTTP_PROXY_AUTHORIZATION,
	HTTP_PROXY_CONNECTION,
	HTTP_SEC_WEBSOCKET_ACCEPT,
	HTTP_SEC_WEBSOCKET_EXTENSIONS,
	HTTP_SEC_WEBSOCKET_KEY,
	HTTP_SEC_WEBSOCKET_PROTOCOL,
	HTTP_SEC_WEBSOCKET_VERSION,
	HTTP_TE,
	HTTP_TRAILER,
	HTTP_TRANSFER_ENCODING,
	HTTP_UPGRADE,
	HTTP_EXPECT,
	HTTP_ALT_SVC,
	HTTP_NAMES
};

struct http_field {
	struct slice name;  /* as it came */
	struct slice value; /* without white space around it */
	enum http_name id;
	bool lax;   /* its name holds '_' or '.', which some programs take for '-' */
	bool named; /* a Connection line names it, so it concerns this connection only; or its
	               reader decided that it goes no further */
};

enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

struct http_head {
	struct slice method, target; /* request */
	struct slice path,
	        query;          /* of the target: before and after the first '?', never a fragment;
	                           for the absolute form, of its path ("/" when it has none);
	                           "*" and CONNECT: path = target */
	struct slice authority; /* absolute form: its host[:port]; else empty */
	struct slice host;      /* value of the Host line; empty when absent (HTTP/1.0) */
	unsigned status;        /* response */
	struct slice reason;    /* response */
	uint8_t minor;          /* HTTP/1.minor */
	bool keep_alive;        /* the connection may go on after this message (RFC 9112 9.3) */
	bool expects_continue;
	enum http_framing framing; /* of an answer to HEAD the caller sets HTTP_BODY_NONE */
	uint64_t content_length;   /* HTTP_BODY_LENGTH; at most 2^63-1 */
	uint32_t seen;             /* bit per enum http_name: there is such a field */
	size_t n;
	struct http_field field[HTTP_LINES_MAX];
};

/* Why a head was refused; the caller answers with http_error_status(). */
enum http_error {
	HTTP_OK,
	HTTP_ERR_SYNTAX,      /* 400 */
	HTTP_ERR_HOST,        /* 400 */
	HTTP_ERR_LENGTH,      /* 400: Content-Length or Transfer-Encoding that cannot be trusted */
	HTTP_ERR_TARGET,      /* 400 */
	HTTP_ERR_METHOD,      /* 400: not a token (an unknown method is the route's to judge) */
	HTTP_ERR_VERSION,     /* 505 */
	HTTP_ERR_TARGET_SIZE, /* 414 */
	HTTP_ERR_LINE_SIZE,   /* 431 */
	HTTP_ERR_LINES,       /* 431 */
	HTTP_ERR_HEAD_SIZE,   /* 431 */
	HTTP_ERR_NOT_HTTP,    /* 400: the first bytes are no HTTP at all (TLS, SSH, noise) */
};
unsigned http_error_status(enum http_error error);
/* A few words for the log and the answer's body. */
const char *http_error_reason(enum http_error error);

/* How far an unfinished head has been looked at, so that a drip costs no more
 * than the whole. Zero to begin. */
struct http_scan {
	uint32_t at; /* bytes looked at */
	uint32_t line_start;
	uint32_t fields_at; /* where the header lines begin; 0 while the first line is unfinished */
	uint16_t lines;     /* complete header lines */
};

/* Parse the head at the front of buf. Returns the bytes it used, the empty line
 * included; 0 when the head is unfinished; or -HTTP_ERR_*, as soon as that is
 * certain: a first line, a limit and a control byte are judged as they come, the
 * header lines when all are there. A head that has filled HTTP_HEAD_MAX bytes is
 * finished or broken, never unfinished. The verdict does not depend on how the
 * bytes were split. An empty line before a request is skipped (RFC 9112 2.2), once.
 * h is valid only after a positive return, and as long as buf is; a later call
 * passes the same bytes at the front, which may have moved. Called again after a
 * verdict, it gives the same one. */
ssize_t http_parse_request(
        struct http_head *h, struct http_scan *scan, const uint8_t *buf, size_t len);
ssize_t http_parse_response(
        struct http_head *h, struct http_scan *scan, const uint8_t *buf, size_t len);

/* The first field of that name, or NULL; and how many there are. */
const struct http_field *http_find(const struct http_head *h, enum http_name id);
size_t http_count(const struct http_head *h, enum http_name id);

/* Walks the comma-separated members of a list value (RFC 9110 5.6.1), without
 * the white space around them, empty ones skipped. `rest` starts as the value.
 * False at the end. */
bool http_list_next(struct slice *rest, struct slice *member);
/* Any line of that name lists `token`, in any case. HTTP_OTHER lists nothing. */
bool http_lists(const struct http_head *h, enum http_name id, struct slice token);
/* One or more token characters (RFC 9110 5.6.2). */
bool http_is_token(struct slice s);
/* HTTP_OTHER for a name that is not in the enum. */
enum http_name http_name_of(struct slice name);
