/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/wheel.h"

#include <assert.h>

/* Level l has slots of 64^l ms. A timer lies on the level of the highest group of
 * six bits in which its deadline differs from now, in the slot that this group of
 * the deadline names. So on each level all occupied slots lie ahead of the
 * current one, everything on a level is due before anything on the next, and the
 * lowest occupied bit of the lowest occupied level is what comes first. When time
 * reaches the start of a slot its timers move to finer levels.
 *
 * The last level is a ring: its slots ahead wrap around, and a deadline beyond its
 * 64 slots (two years) waits in the farthest one and is placed again there. */

enum { BITS = 6, TOP = WHEEL_LEVELS - 1, TOP_SHIFT = BITS * TOP };

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	w->now_ms = now_ms;
	list_init(&w->due);
	for (int l = 0; l < WHEEL_LEVELS; l++) {
		w->occupied[l] = 0;
		for (int i = 0; i < WHEEL_SLOTS; i++)
			list_init(&w->slot[l][i]);
	}
}

void timer_init(struct timer *t, timer_fn fire)
{
	list_init(&t->node);
	t->deadline_ms = 0;
	t->fire = fire;
}

static void put(struct wheel *w, struct timer *t, unsigned level, uint64_t index)
{
	index %= WHEEL_SLOTS;
	list_append(&w->slot[level][index], &t->node);
	w->occupied[level] |= UINT64_C(1) << index;
}

/* Files a timer that is in no list; its deadline lies ahead. */
static void place(struct wheel *w, struct timer *t)
{
	uint64_t differs = t->deadline_ms ^ w->now_ms;
	unsigned level = (63 - (unsigned)__builtin_clzll(differs)) / BITS;
	uint64_t ahead = (t->deadline_ms >> TOP_SHIFT) - (w->now_ms >> TOP_SHIFT);

	if (level < TOP)
		put(w, t, level, t->deadline_ms >> (level * BITS));
	else
		put(w, t, TOP,
		        (w->now_ms >> TOP_SHIFT) + (ahead < WHEEL_SLOTS ? ahead : WHEEL_SLOTS - 1));
}

/* Takes the timer out of its list; of a slot that this empties clears the bit. The
 * last member of a list has the list's head on both sides. */
static void unlink_timer(struct wheel *w, struct timer *t)
{
	struct list *head = t->node.prev;
	bool was_last = head == t->node.next;
	uintptr_t offset = (uintptr_t)head - (uintptr_t)&w->slot[0][0];

	list_remove(&t->node);
	if (was_last && offset < sizeof(w->slot)) {
		size_t n = offset / sizeof(struct list);
		w->occupied[n / WHEEL_SLOTS] &= ~(UINT64_C(1) << n % WHEEL_SLOTS);
	}
}

void timer_set(struct wheel *w, struct timer *t, uint64_t deadline_ms)
{
	unlink_timer(w, t);
	t->deadline_ms = deadline_ms ? deadline_ms : 1;
	if (t->deadline_ms <= w->now_ms)
		list_append(&w->due, &t->node);
	else
		place(w, t);
}

void timer_clear(struct wheel *w, struct timer *t)
{
	unlink_timer(w, t);
	t->deadline_ms = 0;
}

/* The first slot ahead and when it starts; UINT64_MAX when all are empty. */
static uint64_t first_slot(const struct wheel *w, unsigned *level, unsigned *index)
{
	for (unsigned l = 0; l < TOP; l++) {
		if (!w->occupied[l])
			continue;
		unsigned shift = l * BITS;
		*level = l;
		*index = (unsigned)__builtin_ctzll(w->occupied[l]);
		return (w->now_ms >> (shift + BITS) << (shift + BITS)) | (uint64_t)*index << shift;
	}
	uint64_t ring = w->occupied[TOP];
	if (!ring)
		return UINT64_MAX;
	/* Turned so that bit 0 is the current slot, which is always empty. */
	uint64_t current = w->now_ms >> TOP_SHIFT;
	unsigned turn = (unsigned)(current % WHEEL_SLOTS);
	ring = turn ? ring >> turn | ring << (WHEEL_SLOTS - turn) : ring;
	uint64_t start = current + (unsigned)__builtin_ctzll(ring);
	*level = TOP;
	*index = (unsigned)(start % WHEEL_SLOTS);
	return start << TOP_SHIFT;
}

/* The list is local to the caller, so that a callback that sets its timer again
 * cannot keep this going, and a callback may still unlink any other member. */
static void fire_all(struct list *fire)
{
	while (!list_is_empty(fire)) {
		struct timer *t = list_entry(fire->next, struct timer, node);
		list_remove(&t->node);
		t->deadline_ms = 0;
		t->fire(t);
	}
}

/* Time has reached the start of this slot. */
static void open_slot(struct wheel *w, unsigned level, unsigned index)
{
	struct list all, fire;
	list_init(&all);
	list_init(&fire);
	list_take(&all, &w->slot[level][index]);
	w->occupied[level] &= ~(UINT64_C(1) << index);
	while (!list_is_empty(&all)) {
		struct timer *t = list_entry(all.next, struct timer, node);
		list_remove(&t->node);
		if (t->deadline_ms <= w->now_ms)
			list_append(&fire, &t->node);
		else
			place(w, t);
	}
	fire_all(&fire);
}

void wheel_advance(struct wheel *w, uint64_t now_ms)
{
	struct list fire;
	unsigned level, index;
	uint64_t start;

	list_init(&fire);
	list_take(&fire, &w->due);
	fire_all(&fire);
	while ((start = first_slot(w, &level, &index)) <= now_ms) {
		w->now_ms = start;
		open_slot(w, level, index);
	}
	if (now_ms > w->now_ms)
		w->now_ms = now_ms;
}

uint64_t wheel_next(const struct wheel *w)
{
	unsigned level, index;
	return list_is_empty(&w->due) ? first_slot(w, &level, &index) : w->now_ms;
}
