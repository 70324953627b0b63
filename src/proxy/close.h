/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How sessions come to their end (RFC 6455 7). Each side is told once, by a close
 * frame where one can still be sent, and brought to the end of its stream: towards
 * the client Moongate ends TCP first, the upstream is waited for; both within
 * close_timeout. */

#include "proxy/session.h"

/* A close frame of `side` was relayed to the other: waits for its answer. */
void close_relayed(struct session *s, struct side *side, uint16_t code);
/* Moongate ends the session: a close frame with its code to each side (0 = the
 * side gets none and is only brought to its end). */
void close_both(
        struct session *s, uint16_t client_code, uint16_t upstream_code, const char *reason);
/* The peer of `side` broke the protocol. */
void close_broken(struct session *s, struct side *side, enum ws_error error);
/* The stream of `side` ended. */
void close_on_end(struct session *s, struct side *side, enum stream_end end, int error);
/* A limit of the session ended it: both sides get the code, with the limit's name. */
void close_limit(struct session *s, enum session_cause cause, uint16_t code, const char *name);
/* close_timeout has passed. */
void close_on_deadline(struct session *s);
/* Sends the close frame that waited; brings the side to its end. */
void close_send_due(struct session *s, struct side *side);
/* The queue of a side that is finished or cut has become empty. */
void close_on_drain(struct session *s, struct side *side);
/* Looks again whether a cut side can be reset. */
void close_look(struct session *s);
/* Memory was short. */
void close_no_memory(struct session *s);
