/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a load generator sends and must get back, made once.
 *
 * A connection sends the same few messages in turn, for ever. Their masked frames lie one
 * after another, so what a client sends is a repeating string of bytes, and what it gets
 * back is another one: the same payloads in unmasked frames. Both are laid out twice in a
 * row, so that a whole turn from any place on is one piece of memory: many frames leave in
 * one write, and arrive with one comparison. */

#include <stddef.h>
#include <stdint.h>

enum image_kind { IMAGE_BINARY, IMAGE_ASCII, IMAGE_MIXED, IMAGE_PING };

struct image {
	unsigned variants;         /* messages in a turn, all different and of one length */
	size_t sent_len, echo_len; /* bytes of a frame, to the server and back */
	uint8_t *sent, *echo;
};

/* Messages of `size` payload bytes; a turn is at least `depth` of them. IMAGE_PING makes
 * pings, whose echoes are pongs. */
void image_init(struct image *m, enum image_kind kind, size_t size, unsigned depth);
