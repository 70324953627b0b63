/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Whether a session may go on, by the limits of its listener and its route
 * (proxy/limits.h): asked at the door, and when its request is to become a tunnel. Who
 * is over one is told at once, before anything is done for it. */

#include "proxy/limits.h"
#include "proxy/session.h"

/* The places of a session; none of its memory when nothing is limited. */
struct admission {
	struct limit_place listener, route;
};

/* A new connection, before all else. False: memory is short, which it was told. */
bool admit_memory(struct session *s);
/* A new connection. False: it was told 429 or 503 and is on its way out, or gone. */
bool admit_connection(struct session *s);
/* A request that was routed, and whose client is known. False: it was refused. */
bool admit_request(struct session *s);
/* The request of a connection that goes on is over: gives its place by the route's limits up. */
void admit_leave_route(struct session *s);
/* The session ends soon: fetches what that needs. */
void admit_expect_release(const struct session *s);
/* The session ends: gives its places up. */
void admit_release(struct session *s);
