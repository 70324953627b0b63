/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* When a worker begins the spare connections that are lacking: behind the sessions that are being
 * set up, and never many together, since most of the work of one with TLS is done in two pieces
 * that nothing interrupts, at either end.
 *
 * One is begun when no session has waited for its server's answer for two milliseconds, or, if
 * hardly any is left, since this moment; but when some have been lacking for ten, sessions or no
 * sessions. At a time there is one with TLS, or so many without that it is about as much work; the
 * next time is a millisecond later, for one with TLS, if there are enough for now, four. Servers
 * take turns. One worker's thread. */

#include "net/wheel.h"

#include <stdbool.h>
#include <stdint.h>

struct worker;

struct spare_pace {
	struct worker *worker;
	struct list lacking; /* spare_server.turn */
	struct timer timer;
	unsigned setups;   /* sessions that wait for their server's answer */
	uint64_t setup_ms; /* when the last of them had it */
	uint64_t lack_ms;  /* since when the list is not empty */
	uint64_t begun_ms; /* when the last connection was begun */
	unsigned spent;    /* on those that were begun then, of SHARE */
};

void spare_pace_init(struct spare_pace *p, struct worker *w);
/* The list is empty, and no session waits. */
void spare_pace_fini(struct spare_pace *p);

/* The server of this `turn` lacks connections: spare_server_begin() will be called. Harmless for
 * one that was told of already. */
void spare_pace_lacks(struct spare_pace *p, struct list *turn);

void spare_pace_setup(struct spare_pace *p);
void spare_pace_setup_over(struct spare_pace *p);
