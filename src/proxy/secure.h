/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* TLS of a session's client: begins at the door, or behind a PROXY header, and has a time of its
 * own within that for the handshake. Private to proxy/. One worker's thread. */

#include "proxy/session.h"

/* Nothing to do where the listener speaks plain HTTP. `early`: bytes that came already. False when
 * memory is short. */
bool secure_begin(struct session *s, struct slice early);
/* It has succeeded. */
void secure_on_handshake(struct session *s);
/* The connection has ended: within the handshake that is a failure of TLS. */
void secure_on_end(struct session *s, enum stream_end end, int error);
/* The client speaks plain HTTP where TLS is due: whatever it asks is answered with 400. */
bool secure_is_missing(const struct session *s);
/* The time is over. True: for TLS, which is not finished. */
bool secure_timed_out(struct session *s);
