/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The seam between sessions and the scripts that handle them: lua/ fills the table of
 * callbacks, and calls the functions below. One worker's thread.
 *
 * A script has a session in its hands while that is HANDLING:
 *
 *   access   the route's `access` judges a request before all else is done with it. It
 *            ends by handler_pass() or by an answer. What the client sends meanwhile is
 *            kept (16 KiB, then its stream pauses).
 *   content  the route's `handler` is the application. What follows the head comes to it
 *            as bytes, unparsed; what it sends goes to the client as it is. It
 *            ends by handler_finish().
 *   log      the route's `log_handler` runs when the session, or a plain request of a
 *            handler route, is over. It cannot wait.
 *
 * session->handler is whatever lua/ keeps of the request, NULL when it keeps nothing. It is
 * set and cleared by lua/, and outlives the state when a log_handler is to see it. */

#include "http/writer.h"
#include "net/address.h"
#include "net/stream.h"

#include <stdbool.h>

struct proxy;
struct session;
struct tls_client;
struct upstream_group;

enum handler_phase { HANDLER_ACCESS, HANDLER_CONTENT, HANDLER_LOG };

/* What a route's scripts run under; keys of a route (0 ms: no limit). */
struct handler_settings {
	uint32_t connect_timeout_ms, send_timeout_ms, read_timeout_ms; /* of sockets */
	uint32_t keepalive_timeout_ms;                                 /* of sockets in pools */
	uint32_t pool_size;
	uint32_t buffer_size;     /* bytes that a script has not read yet, before reading stops */
	uint32_t body_max;        /* largest request body that is read; more is a 413 */
	uint32_t body_timeout_ms; /* between two reads of it */
	struct tls_client *tls;   /* of sockets; borrowed from whoever has made the settings */
	bool log_errors;          /* of sockets, at level error */
	bool is_strict;           /* compat = strict */
};

struct handler_ops {
	/* A request, whose head lasts for this call only, is the script's from here on. The
	 * session is HANDLING. False when memory is short: nothing was begun. */
	bool (*start)(struct session *s, enum handler_phase phase, struct http_head *head);
	/* The route has a log_handler only: remembers the head for it. */
	void (*remember)(struct session *s, const struct http_head *head);
	/* Bytes behind the head (content only). Returns how many were used; after
	 * handler_finish() the rest is the next request's. */
	size_t (*on_bytes)(struct session *s, uint8_t *buf, size_t len);
	/* The client has ended or is gone (then nothing can be sent, and the stream is no
	 * more). The script may go on; the session lasts until it finishes. */
	void (*on_end)(struct session *s, enum stream_end end, int error);
	/* What was sent has drained, as stream_events.on_drain. */
	void (*on_drain)(struct session *s);
	/* The daemon stops, or max_lifetime is over: whoever has a WebSocket gets 1001. The
	 * script may go on until close_timeout. */
	void (*stop)(struct session *s, uint16_t code, const char *reason);
	/* The session ends now: whatever the script waits for is cancelled, nothing of the
	 * session is touched after this, except by log. */
	void (*cancel)(struct session *s);
	/* The last word: log_handler runs, and session->handler is given up. */
	void (*log)(struct session *s);
};

/* Whoever handles the scripts of this worker. NULL: routes with scripts answer 503. */
void handler_set_ops(struct proxy *p, const struct handler_ops *ops);

/* ---- for proxy/: beginning and ending ---- */

/* A request whose route has scripts: those that come later may want to know its head. */
void handler_remember(struct session *s, const struct http_head *head);
/* Runs the route's access script. The session is HANDLING then, or was refused. */
void handler_ask(struct session *s, struct http_head *head);
/* Runs the route's handler. */
void handler_run(struct session *s, struct http_head *head);
/* endpoint_events.on_raw and what else concerns a session that is HANDLING. */
size_t handler_on_bytes(struct session *s, uint8_t *buf, size_t len);
void handler_on_end(struct session *s, enum stream_end end, int error);
void handler_on_drain(struct session *s);
void handler_on_deadline(struct session *s);
void handler_stop(struct session *s);
/* The session is at its end: nothing runs any more. */
void handler_release(struct session *s);
/* It has ended, and is in the log. */
void handler_log(struct session *s);

/* ---- for lua/: what a script does with its session ---- */

/* The access script lets the request pass, with this head, which it may have changed
 * (a parsed one; its bytes last for this call). `group`, if any, in place of the route's;
 * `server` one of its servers by name, or empty. */
void handler_pass(struct session *s, struct http_head *head, struct upstream_group *group,
        struct slice server);
/* The route's script for that, or NULL; and what is kept for it (session->handler). */
struct script *handler_script(const struct session *s, enum handler_phase phase);
void *handler_kept(const struct session *s);
void handler_keep(struct session *s, void *kept);
/* The client's stream, NULL when it is gone. */
struct stream *handler_stream(struct session *s);
/* Applies the route's rules for answers to a whole head (with its empty line) that w
 * holds; `request` is the request's. */
void handler_edit_head(struct session *s, struct http_writer *w, const struct http_head *request);
/* The head of an answer goes out now. 101: the session counts as open, max_lifetime
 * begins. */
void handler_answered(struct session *s, unsigned status);
/* Bytes were given to the client's stream: counts them, looks at the queue. */
void handler_sent(struct session *s, size_t bytes);
void handler_received(struct session *s, size_t bytes);
/* Messages that passed: `up` from the client. */
void handler_messages(struct session *s, uint32_t up, uint32_t down);
/* A close frame came from the client; one was sent to it. For the log. */
void handler_close_received(struct session *s, uint16_t code);
void handler_close_sent(struct session *s, uint16_t code);
/* The access script wants the body: bytes come to on_bytes from here on. */
void handler_want_bytes(struct session *s);
void handler_pause(struct session *s, bool is_paused);

enum handler_end {
	HANDLER_KEEP_ALIVE, /* the answer is whole: another request may follow */
	HANDLER_CLOSE,      /* all that was sent still goes out, then the end */
	HANDLER_DROP,       /* no answer, the connection just ends (444) */
	HANDLER_RESET,      /* something is missing in what was sent */
};
/* Whether what stands behind this head can be skipped. */
bool handler_may_skip(const struct http_head *head);
/* Whether a request with this head may be followed by another. */
bool handler_may_keep_alive(const struct session *s, const struct http_head *head);
/* The script is done with the request. `unread`: bytes that it was given and did not use,
 * if they are not the end of what on_bytes is being given. `skip`: the head of a request
 * whose body stands in front of them and is of no interest; or NULL. The session may be
 * gone when this returns. */
void handler_finish(
        struct session *s, enum handler_end end, struct slice unread, const struct http_head *skip);
/* Refuses the request with an answer of Moongate's own; nothing was sent before. */
void handler_refuse(struct session *s, unsigned status, const char *reason);

/* ---- what scripts may know of the session ---- */

/* Counted, not unique beyond the process. */
uint64_t handler_session_id(const struct session *s);
unsigned handler_request_count(const struct session *s);
const struct address_brief *handler_client(const struct session *s);
/* Who is connected, be it the client or a trusted proxy. */
struct address_brief handler_peer(const struct session *s);
/* The client that a PROXY header has told; false: none has. */
bool handler_proxy_source(const struct session *s, struct address_brief *out);
const char *handler_route_name(const struct session *s);
uint16_t handler_server_port(const struct session *s);
const struct handler_settings *handler_settings(const struct session *s);
/* As the log writes it; empty when the route wants none. */
struct slice handler_request_id(const struct session *s, char buf[32]);
/* The name of the last server asked, or NULL. */
const char *handler_server(const struct session *s);
unsigned handler_status(const struct session *s);
uint64_t handler_bytes(const struct session *s, bool is_down);
/* The keys that every log line about the session begins with. */
struct log_line;
void handler_log_id(const struct session *s, struct log_line *l);
struct worker *handler_worker(const struct session *s);
