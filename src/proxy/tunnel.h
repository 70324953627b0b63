/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Frames between the sides of a session. Data frames that need no change leave as
 * the bytes that came, all that one read brought in one write; control frames are
 * relayed in their order, own pongs are taken out. */

#include "proxy/session.h"

/* endpoint_events.on_frames of both sides, in OPENING, OPEN and CLOSING. */
size_t tunnel_on_frames(struct endpoint *ep, uint8_t *buf, size_t len);
/* The 101 went out: begins the session's life as a tunnel. */
void tunnel_open(struct session *s);
/* A side's queue has room again. */
void tunnel_on_drain(struct session *s, struct side *side);
void tunnel_pause(struct session *s, struct side *side);
void tunnel_resume(struct session *s, struct side *side);
/* Sends what waited for the end of a frame to this side: a close, else a ping. */
void tunnel_send_due(struct session *s, struct side *side);
/* Sends an own ping to the client, now or after the half-sent frame. */
void tunnel_ping(struct session *s);
/* A pong that answers an own ping. */
bool tunnel_is_own_pong(const struct session *s, const struct ws_run *run);
/* `n` frames more that cost their sender nothing: pings, pongs, empty fragments. True when
 * they are too many; tunnel_on_flood() ends the session then, once all before went out. */
bool tunnel_is_flood(struct session *s, struct side *from, uint32_t n);
void tunnel_on_flood(struct session *s, struct side *from);
/* A frame to this side is half sent. */
bool tunnel_is_mid_frame(struct session *s, const struct side *side);
