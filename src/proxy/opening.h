/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The opening handshake with the upstream, from the routed request to the
 * verified 101 or an honest answer instead. Here is its life and the request; tries.h
 * finds a server for it, reply.h judges what that says.
 *
 * A server is picked, and another one when it cannot be reached, ends before it
 * answers, or answers 502, 503 or 504, as long as the group's `tries` and the deadline
 * allow. Only the first two, and silence, count against the server: what it answers
 * a client can decide. */

#include "http/handshake.h"
#include "proxy/session.h"
#include "upstream/dial.h"
#include "upstream/srv.h"
#include "upstream/waiting.h"

enum {
	OPENING_EARLY_MAX =
	        16 * 1024, /* bytes of frames kept before the 101; then reading pauses */
	OPENING_ANSWER_MAX = 64 * 1024, /* body of a relayed answer */
	OPENING_INTERIM_MAX = 8,        /* 1xx answers skipped */
};

struct opening {
	struct dial dial;
	struct srv srv; /* whose servers the group's are */
	struct session *session;
	struct upstream_group *group; /* the route's, or its access script's choice; referenced */
	struct upstream_members *members; /* of the group; referenced */
	struct pick_request pick;
	struct picked picked;   /* the server that is asked now */
	struct waiting waiting; /* for a place, when all are full */
	uint64_t picked_ms;     /* when the present server was picked */
	uint32_t tries;         /* servers asked so far */
	uint8_t *request;       /* for the upstream, but the server's name; then the lines that
	                           rules add to the answer; owned */
	uint32_t request_len, lines_len;
	uint64_t connect_ms; /* deadline of connecting, or of waiting for a place; 0 = none */
	struct queue early;  /* sound frames of the client, kept */
	struct queue answer; /* head and body of an answer to be relayed */
	struct queue body;
	char key[WS_KEY_LEN];       /* towards the upstream */
	char accept[WS_ACCEPT_LEN]; /* towards the client */
	uint16_t status;            /* of the answer being relayed */
	uint8_t error;              /* errno of the last attempt to connect; 0 = none */
	bool has_length;            /* its head tells the body's length */
	bool has_status;            /* at least a status line came before the end */
	uint8_t interim;
	bool has_lost_spare;    /* spare connections may all be dead: no other one is used */
	bool has_dialled_again; /* without the TLS session that the server had failed for */
	bool early_close;       /* the client's close frame is among the early ones */
	uint8_t room[1024];     /* for a request of the usual size; last: it is not cleared */
};

/* `server`: the one of the group to be asked first, by its name; or empty. */
void opening_start(struct session *s, struct http_head *head, struct slice key,
        struct upstream_group *group, struct slice server);
/* The lines that rules add to its answer, and the name of its server ("none": none was
 * picked yet) that rules_expand() puts in. */
struct slice opening_lines(const struct opening *o);
struct slice opening_server(const struct opening *o);
void opening_free(struct session *s);
/* The upstream's stream ended. */
void opening_on_end(struct session *s, enum stream_end end, int error);
/* Adds to one of its queues, but not from the memory that open sessions were promised. False:
 * there is none. */
bool opening_hold(struct session *s, struct queue *q, const struct slice *v, size_t n);
/* Keeps frames of the client until the tunnel opens. */
void opening_keep(struct session *s, const struct slice *v, size_t n);
/* connect_timeout, answer_timeout, queue_timeout or handshake_timeout has passed. */
void opening_on_deadline(struct session *s, bool handshake);
