/* SPDX-License-Identifier: BSD-2-Clause */
#include "script.h"

enum { NEVER = UINT32_MAX, LONG_STALL_MS = 3000 };

static enum sizes draw_sizes(struct draw *d)
{
	uint32_t n = draw_below(d, 100);

	return n < 55 ? SMALL : n < 86 ? MEDIUM : n < 97 ? LARGE : HUGE;
}

static uint16_t draw_code(struct draw *d)
{
	return draw_one_in(d, 2) ? 1000 : (uint16_t)(3000 + draw_below(d, 2000));
}

static struct side_script draw_side(struct draw *d)
{
	static const uint32_t most[] = {[SMALL] = 200, [MEDIUM] = 60, [LARGE] = 12, [HUGE] = 4};
	struct side_script s = {.sizes = draw_sizes(d), .stall_at = NEVER, .fault_at = NEVER};

	s.messages = draw_below(d, most[s.sizes]);
	s.burst = 1 + draw_below(d, draw_one_in(d, 3) ? 100 : 5);
	s.pause_ms = draw_below(d, 40);
	if (s.sizes == SMALL && draw_one_in(d, 6))
		s.dribble = 80;
	if (draw_one_in(d, 5)) {
		s.stall_at = draw_below(d, 20);
		s.stall_ms = draw_below(d, 500);
	}
	s.code = draw_code(d);
	s.abrupt = draw_one_in(d, 2);
	s.hasty = draw_one_in(d, 2);
	s.half = draw_one_in(d, 4);
	return s;
}

/* Small buffers, so that queues fill; tiny ones where they do not make hours of it. */
static void draw_buffers(struct draw *d, struct script *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->side[1 - i].sizes <= MEDIUM && draw_one_in(d, 4))
			s->side[i].receive_buffer = 2048 << draw_below(d, 3);
		else if (!draw_one_in(d, 4))
			s->side[i].receive_buffer = 16384 << draw_below(d, 3);
	}
}

static void draw_closers(struct draw *d, struct script *s)
{
	uint32_t who = draw_below(d, 5);

	s->side[CLIENT].closes = who != 1 && who != 3;
	s->side[UPSTREAM].closes = !s->side[CLIENT].closes || who == 4;
	for (int i = 0; i < 2; i++)
		s->side[i].eager = draw_one_in(d, 2);
	/* Each would wait for the other's messages: that is no use of `both`. */
	if (who == 4)
		s->side[CLIENT].eager = s->side[UPSTREAM].eager = true;
}

static void draw_fault(struct draw *d, struct script *s)
{
	static const enum fault mid_stream[] = {FAULT_RESET, FAULT_CUT, FAULT_VANISH};
	uint32_t who = draw_below(d, 2);
	struct side_script *side = &s->side[who];
	uint32_t kind = draw_below(d, 20);

	if (kind == 0) {
		s->side[CLIENT].fault = FAULT_EARLY;
		s->early_ms = draw_below(d, 30);
	} else if (kind == 1) {
		s->side[UPSTREAM].fault = FAULT_DROP;
	} else if (kind < 8) {
		side->fault = mid_stream[draw_below(d, 3)];
		side->fault_at = draw_below(d, side->messages + 1);
	} else if (kind == 8) {
		s->tight = true;
		side->fault = FAULT_STALL;
		side->stall_at = draw_below(d, s->side[1 - who].messages + 1);
		side->stall_ms = LONG_STALL_MS;
	}
}

struct script script_make(uint64_t seed, uint64_t session)
{
	struct script s = {.seed = seed, .session = session};
	struct draw d = {hash64(hash64(seed) + session)};

	for (int i = 0; i < 2; i++)
		s.side[i] = draw_side(&d);
	draw_buffers(&d, &s);
	draw_closers(&d, &s);
	s.tight = draw_one_in(&d, 8);
	s.early = draw_one_in(&d, 4);
	if (draw_one_in(&d, 4))
		s.answer_ms = draw_below(&d, 60);
	draw_fault(&d, &s);
	return s;
}
