/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Requests of clients: routing, refusals, plain answers. */

#include "proxy/session.h"

struct upstream_group;

void request_on_head(struct session *s, struct http_head *head);
/* The same request again, which the route's access script has let pass, perhaps with
 * another group and server (opening_start()). */
void request_pass(struct session *s, struct http_head *head, struct upstream_group *group,
        struct slice server);
/* The connection can go on behind this request: what its body brings is bounded, and
 * so are the answers that a client does not fetch. */
bool request_may_go_on(const struct session *s, const struct http_head *head);
/* An answer has gone out, and the next request is awaited. */
void request_await(struct session *s);
void request_on_broken(struct session *s, enum http_error error);
/* Answers with a status and closes; `reason` completes the answer's body and the
 * log line. Only before a 101. */
void request_refuse(struct session *s, unsigned status, const char *reason);
/* The same for what may be asked again after so many seconds (Retry-After). */
void request_refuse_for(struct session *s, unsigned status, const char *reason, uint32_t wait_s);
/* The same without a log line of its own. */
void request_turn_away(struct session *s, unsigned status, const char *reason, uint32_t wait_s);
/* The last answer was sent: FIN after it, then the client's end is awaited. */
void request_leave(struct session *s);
