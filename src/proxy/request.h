/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Requests of clients: routing, refusals, plain answers. */

#include "proxy/session.h"

void request_on_head(struct session *s, struct http_head *head);
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
