/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the messages of a session hold. Type, length and every byte follow from the seed, the
 * session, the direction and the number, so that the receiver knows what must come, empty
 * messages included, and compares every byte. From 40 bytes on a message also begins with
 * these numbers as text, which tells whose it is when it comes where it should not. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum role { CLIENT, UPSTREAM };

enum sizes { SMALL, MEDIUM, LARGE, HUGE };

struct message {
	uint64_t key, session;
	uint32_t number, len;
	enum role from;
	bool text; /* valid UTF-8, else any bytes */
};

/* Random numbers that follow from a key. */
struct draw {
	uint64_t state;
};
uint64_t hash64(uint64_t a);
uint64_t draw_next(struct draw *d);
/* 0 .. n - 1 */
uint32_t draw_below(struct draw *d, uint32_t n);
/* True once in n times. */
bool draw_one_in(struct draw *d, uint32_t n);

struct message message_make(
        uint64_t seed, uint64_t session, enum role from, uint32_t number, enum sizes sizes);
/* The `len` bytes that stand at `at` of the message. */
void message_bytes(const struct message *m, size_t at, uint8_t *out, size_t len);
