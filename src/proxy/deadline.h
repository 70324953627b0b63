/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every deadline of a session, looked after by its one timer. The timer is lazy:
 * events store timestamps, the check computes what is due and when to look again. */

#include "proxy/session.h"

/* Looks again at that time at the latest. */
void deadline_arm(struct session *s, uint64_t at_ms);
/* When a session that opens now is to end by max_lifetime; 0 = never. */
uint64_t deadline_lifetime(const struct session *s, uint64_t now_ms);
/* The state changed: computes the next look from scratch. */
void deadline_reset(struct session *s);
void deadline_fire(struct timer *t);
