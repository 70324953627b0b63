/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A session: one client connection from accept to its end, and the upstream
 * connection that goes with it. Private to proxy/. One worker's thread.
 *
 *   READING --route: upstream--> OPENING --101 verified--> OPEN --> CLOSING --> ENDED
 *      |  ^                         |                                  ^          ^
 *      |  +-- answer, keep-alive    +-- refused, relayed --+           |          |
 *      +-- route: echo ------------------------------------)--> OPEN --+          |
 *      +-- refused, answer with close ---------------------+--> LEAVING ----------+
 *      |                                                   |                      |
 *      +-- route: handler, access --> HANDLING --close-----+                      |
 *      ^                              |  |                                        |
 *      +-- keep-alive, access passed--+  +-- the script has ended a dead session -+
 *
 *   READING  waits for a request, reads it, skips its body
 *   HANDLING a script has it (handler.h), be it plain HTTP or a WebSocket
 *   OPENING  the upstream is looked up, connected, asked to upgrade
 *   OPEN     frames pass in both directions
 *   CLOSING  a close frame has gone or come, or a side has vanished: each side is
 *            brought to its end (close.h)
 *   LEAVING  the last answer was sent; the client's end is awaited
 *   ENDED    both sides are gone; freed at the end of the turn
 *
 * One timer looks after all deadlines (deadline.h). */

#include "base/siphash.h"
#include "endpoint/endpoint.h"
#include "net/address.h"
#include "net/worker.h"
#include "proxy/access.h"
#include "proxy/proxy.h"
#include "proxy/route.h"
#include "proxy/shortage.h"

enum session_state {
	SESSION_READING,
	SESSION_HANDLING,
	SESSION_OPENING,
	SESSION_OPEN,
	SESSION_CLOSING,
	SESSION_LEAVING,
	SESSION_ENDED
};

enum side_name { CLIENT, UPSTREAM };

/* Flags of a side. */
enum {
	SIDE_CLOSE_SENT = 1 << 0,     /* a close frame went to it: nothing may follow */
	SIDE_CLOSE_RECEIVED = 1 << 1, /* its close frame came: what follows is thrown away */
	SIDE_CLOSE_DUE = 1 << 2,      /* a close frame waits for the end of a half-sent frame */
	SIDE_PING_DUE = 1 << 3,       /* an own ping waits for the same */
	SIDE_CUT = 1 << 4,            /* a frame to it will never end: reset after what is queued */
	SIDE_FINISHED = 1 << 5,       /* nothing more will be sent to it */
	SIDE_PAUSED = 1 << 6,         /* not read, because the other side is slow */
	SIDE_EOF = 1 << 7,            /* it will send no more */
	SIDE_TRUNCATED = 1 << 8,      /* its TLS ended without a close_notify */
};

struct side {
	struct endpoint ep;
	uint16_t flags;
	uint16_t close_code; /* that came from it; 0 = none, or a close frame without one */
	uint16_t due_code;   /* CLOSE_DUE: the code to send */
	uint16_t controls;   /* control frames, and empty fragments, in the second of received_ms */
	uint64_t unfinished_ms; /* when its unfinished message began; 0 = there is none */
	uint64_t received_ms; /* when its last byte came; while PAUSED, when reading was stopped */
};

/* Why a session ended: what the log says. */
enum session_cause {
	CAUSE_NONE,
	CAUSE_CLOSE,    /* a close handshake of the peers */
	CAUSE_VANISHED, /* an end without a close frame */
	CAUSE_ERROR,    /* a reset, or an error of the network */
	CAUSE_PROTOCOL, /* a violation */
	CAUSE_SEND_TIMEOUT,
	CAUSE_MESSAGE_TIMEOUT,
	CAUSE_PONG_TIMEOUT,
	CAUSE_IDLE_TIMEOUT,
	CAUSE_CLOSE_TIMEOUT,
	CAUSE_CONTROL_RATE,
	CAUSE_LIFETIME,
	CAUSE_STOPPING,
	CAUSE_MEMORY,
	CAUSE_HANDLER,  /* its script was done, or failed */
	CAUSE_REFUSED,  /* never opened: an answer instead */
	CAUSE_SILENT,   /* never asked anything */
	CAUSE_ANSWERED, /* plain answers only */
};

/* Who ended it. */
enum session_closer { CLOSED_BY_NOBODY, CLOSED_BY_CLIENT, CLOSED_BY_UPSTREAM, CLOSED_BY_PROXY };

struct access;
struct admission;
struct health;
struct opening;
struct echo;
struct log_line;
struct note;
struct server_state;

struct session {
	struct side side[2];
	/* With the sides, all that a message touches: one line of the processor's cache. */
	struct proxy *proxy;
	struct route *route;   /* referenced; NULL before a request was routed */
	struct access *access; /* for its record; NULL = nothing was kept (access.h) */
	uint64_t data_ms;  /* when the last data frame passed; before: the request's first byte */
	uint64_t bytes[2]; /* of frames, from each side */
	uint32_t messages[2];
	uint8_t state;
	uint8_t cause, closer, error; /* error: enum ws_error or an errno, as the cause says;
	                               0 = none */
	bool echoing;
	bool ping_forwarded; /* a forwarded ping is unanswered by the client */
	bool is_lingering;   /* LEAVING: was refused at the door (admit.h) */
	bool receiving;      /* READING: a request has begun */

	struct timer timer;
	struct list node;                /* proxy->sessions */
	struct proxy_listener *listener; /* referenced */
	struct server_state *server; /* where it has a place or had one (has_left); referenced */
	struct admission *places;    /* by the limits on connections; NULL = none */
	void *handler; /* what lua/ keeps of its request; NULL = nothing (handler.h) */
	union {
		struct {
			union {
				struct opening *opening; /* OPENING */
				struct echo *echo;       /* an open echo session's, or NULL */
			};
			struct proxy_door *door; /* referenced; NULL = not known */
		};
		struct retired retired; /* ENDED */
	};
	uint64_t id; /* worker, slot, use count */
	uint64_t start_ms;
	uint64_t deadline_ms; /* READING, OPENING: handshake; OPEN: max_lifetime; CLOSING, LEAVING:
	                         close; HANDLING: of access the handshake, else max_lifetime and
	                         then close; 0 = none */
	uint64_t ping_ms;     /* an own ping is unanswered since; 0 = none */
	struct note *note;    /* of its request, for the log; NULL = there is nothing to tell */
	struct address_brief client; /* as decided; see proxy/headers.h */
	uint16_t status;             /* of the last answer; 0 = none; see session_status() */
	uint16_t own_code;           /* close code that Moongate chose */
	bool is_settled : 1;         /* the upstream's connection was (deadline.c) */
	bool has_left : 1;           /* the server: its place is free again */
	bool is_asking;              /* HANDLING: its access script runs */
	bool was_asked;              /* READING: its access script has let the request pass */
	bool has_own_id;             /* the request's id is made when it is asked for (headers.h) */
	uint16_t requests;           /* that were given one */
	uint16_t port;               /* that the client connected to; 0 = a unix socket */
};

/* An own id of a request (headers.h). */
enum { MADE_IDS = 64 };
struct made_id {
	uint64_t of[2]; /* the session's id, its request's number; 0 = none */
	char text[32];
};

struct proxy {
	struct worker *worker;
	struct route_table *routes;
	struct list sessions;
	uint8_t id_key[SIPHASH_KEY_LEN]; /* of request ids */
	/* The ids of the last requests: most are asked for twice in a short time, for the
	 * upstream and for a record. */
	struct made_id made_id[MADE_IDS];
	struct pool session_pool, opening_pool, admission_pool;
	size_t count;
	struct shortage shortage;
	unsigned lingering; /* sessions that were refused at the door and are not gone yet */
	uint64_t serial;
	struct proxy_counters counters;
	const struct handler_ops *handlers; /* NULL = nobody runs scripts */
	struct health *health; /* checks of servers; NULL = another worker's business */
	struct access_settings access;
	struct access_store *access_store; /* NULL = it was never on */
	/* Whose request is looked at now, if it has a route: the head is there. */
	const struct session *asking;
	const struct http_head *asked;
	struct {
		struct timer timer;
		uint64_t start_ms;
		uint32_t spread_ms;
		size_t total, told;
		const struct list *first_told; /* behind it none is left to be told; NULL =
		                                  none was */
		void (*done)(void *arg);
		void *arg;
		bool on;
	} drain;
};

static inline struct session *session_of(struct endpoint *ep)
{
	struct side *side = list_entry(ep, struct side, ep);
	return list_entry(side - ep->role, struct session, side);
}
static inline struct side *side_of(struct endpoint *ep)
{
	return list_entry(ep, struct side, ep);
}
static inline struct side *other_side(struct session *s, const struct side *side)
{
	return &s->side[side->ep.role ^ 1];
}
/* The worker's clock of this turn, in which all timestamps are. */
static inline uint64_t session_clock(const struct session *s)
{
	return s->proxy->worker->now_ms;
}
/* Since it began. */
static inline uint32_t session_age_at(const struct session *s, uint64_t at_ms)
{
	uint64_t ms = at_ms - s->start_ms;
	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX - 1;
}
static inline uint32_t session_age_ms(const struct session *s)
{
	return session_age_at(s, session_clock(s));
}
/* Its request has begun, at data_ms, and there is no answer to it yet. */
static inline bool session_is_receiving(const struct session *s)
{
	return s->state == SESSION_READING && s->receiving;
}
/* Of the answer to its last request; 0 = there was none (yet), whatever the one before it got. */
static inline uint16_t session_status(const struct session *s)
{
	return session_is_receiving(s) ? 0 : s->status;
}
/* Something came from the side now. */
static inline void side_heard(struct side *side, uint64_t now_ms)
{
	if (now_ms / 1000 != side->received_ms / 1000)
		side->controls = 0;
	side->received_ms = now_ms;
}
static inline bool side_is_gone(const struct side *side)
{
	return side->ep.stream == NULL;
}

extern const struct endpoint_events session_events;

/* A session is about to leave the list: who is still to be told that the daemon stops. */
void proxy_session_ends(struct proxy *p, const struct session *s);
/* A session has ended: tells whoever waits for the last one (proxy_drain()). */
void proxy_session_gone(struct proxy *p);

/* Takes the stream over. NULL, and the stream freed, when memory is short. */
struct session *session_new(struct proxy *p, struct stream *stream, const struct address *peer,
        struct proxy_listener *l);
/* Its client did, of which the port is known too then. */
void session_came_by(struct session *s, struct proxy_door *d);
void session_move(struct session *s, enum session_state to);
/* Gives back its place at the server, if it has not done so before, and forgets it. */
void session_leave_server(struct session *s);
/* Both sides are gone, or given up here with `reset`: logs, counts, retires. */
void session_end(struct session *s, bool reset);
/* Ends a session without a tunnel, after what is still to be sent. */
void session_hang_up(struct session *s);
/* Ends it if nothing is left to wait for. */
void session_end_if_done(struct session *s);
/* Notes why it ends; the first cause stays. */
void session_blame(
        struct session *s, enum session_cause cause, enum session_closer closer, int error);
/* Whether something that was sent to the client is not with the kernel yet. */
bool session_has_unsent(const struct session *s);
/* The daemon stops: begins the end that suits the session's state. */
void session_stop(struct session *s);

/* What the log calls who ended it, and why. */
const char *session_closer_name(const struct session *s);
const char *session_cause_name(const struct session *s);

/* What every line about the session begins with: its id, and its request's. */
void session_log_id(const struct session *s, struct log_line *l);
/* One log line at the end; see session_log.c. */
void session_log_end(struct session *s);
/* status 0: there was no answer. */
void session_log_refused(struct session *s, unsigned status, const char *reason);
/* TLS with a side failed. */
void session_log_tls(struct session *s, const struct side *side);
/* A 403 for the Origin, which may be empty. */
void session_log_origin(struct session *s, const char *reason, struct slice origin);
