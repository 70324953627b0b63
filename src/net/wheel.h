/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A hierarchical timing wheel: setting, moving and clearing a timer is O(1)
 * whatever its deadline, so jittered and computed deadlines cost no more than
 * fixed ones. Resolution 1 ms. Timers are meant to be lazy: activity stores a
 * timestamp, the callback looks at it and sets the timer again. One thread. */

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct timer;
typedef void (*timer_fn)(struct timer *t);

/* Embedded in its owner. 32 bytes. */
struct timer {
	struct list node;
	uint64_t deadline_ms; /* 0 = not set */
	timer_fn fire;
};

enum { WHEEL_LEVELS = 6, WHEEL_SLOTS = 64 };

struct wheel {
	uint64_t now_ms;
	uint64_t occupied[WHEEL_LEVELS]; /* bit per slot that is not empty */
	struct list due;                 /* set to a time that had passed already */
	struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_ms);
void timer_init(struct timer *t, timer_fn fire);
/* Sets or moves it. A deadline that has passed fires with the next advance; one
 * that a callback sets within the time being passed still fires in this advance. */
void timer_set(struct wheel *w, struct timer *t, uint64_t deadline_ms);
void timer_clear(struct wheel *w, struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return t->deadline_ms != 0;
}
/* Moves time on and fires all that is due, in order of deadlines as far as 1 ms
 * tells. A callback may set or clear any timer. */
void wheel_advance(struct wheel *w, uint64_t now_ms);
/* The earliest time at which wheel_advance() has something to do (possibly only
 * moving timers to a finer level); UINT64_MAX when no timer is set. */
uint64_t wheel_next(const struct wheel *w);
