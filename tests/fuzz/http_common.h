/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the fuzz targets of http/ share. An input begins with two bytes that choose
 * where the rest is split; the rest is what a peer sends. */

#include "http/answer.h"
#include "http/body.h"
#include "http/handshake.h"
#include "http/head.h"
#include "http/writer.h"

#include <stdlib.h>

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

typedef ssize_t (*parse_fn)(struct http_head *, struct http_scan *, const uint8_t *, size_t);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* A copy that ends where its memory ends; the caller frees it. */
static inline uint8_t *exact_copy(const uint8_t *at, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	REQUIRE(copy);
	if (len > 0)
		memcpy(copy, at, len);
	return copy;
}

/* Parses what comes in pieces of `step` bytes, each time in memory of its own. */
static inline ssize_t parse_in_steps(
        parse_fn parse, struct http_head *h, const uint8_t *at, size_t len, size_t step)
{
	struct http_scan scan = {0};
	ssize_t r = 0;

	for (size_t n = 0; n < len && r == 0;) {
		n += step < len - n ? step : len - n;
		uint8_t *copy = exact_copy(at, n);
		r = parse(h, &scan, copy, n);
		free(copy);
	}
	return r;
}

/* The verdict must not depend on how the bytes came. */
static inline void check_splits(parse_fn parse, const uint8_t *at, size_t len, uint16_t choice)
{
	static struct http_head h;
	ssize_t whole = parse_in_steps(parse, &h, at, len, len > 0 ? len : 1);
	size_t step = 1 + choice % 251;

	REQUIRE(whole <= (ssize_t)len);
	if (len / step < 600)
		REQUIRE(parse_in_steps(parse, &h, at, len, step) == whole);
	if (len > 0)
		REQUIRE(parse_in_steps(parse, &h, at, len, choice % len + 1) == whole);
}

/* No control byte but the tab, so nothing that ends a line. */
static inline void check_clean(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		REQUIRE((s.at[i] >= 0x20 && s.at[i] != 0x7f) || s.at[i] == '\t');
}

static inline void check_fields(const struct http_head *h)
{
	REQUIRE(h->n <= HTTP_LINES_MAX);
	for (size_t i = 0; i < h->n; i++) {
		const struct http_field *f = &h->field[i];
		REQUIRE(http_is_token(f->name));
		REQUIRE(f->id == http_name_of(f->name));
		check_clean(f->value);
	}
}

/* Reads the body that follows a head, whole and in steps: same end, same content. */
static inline void check_body(
        const struct http_head *h, const uint8_t *at, size_t len, uint16_t choice)
{
	struct http_body b[2];
	uint64_t sum[2] = {0, 0};
	size_t count[2] = {0, 0};
	bool broken[2] = {false, false};

	for (int i = 0; i < 2; i++) {
		size_t step = i == 0 ? len : 1 + (size_t)choice % 7;
		http_body_init(&b[i], h);
		for (size_t n = 0; n < len && !b[i].done && !broken[i];) {
			struct slice content;
			size_t piece = step < len - n ? step : len - n;
			uint8_t *copy = exact_copy(at + n, piece);
			ssize_t used = http_body_read(&b[i], copy, piece, &content);
			REQUIRE(used != 0 && used <= (ssize_t)piece);
			broken[i] = used < 0;
			n += used > 0 ? (size_t)used : 0;
			for (size_t j = 0; j < content.len; j++)
				sum[i] = sum[i] * 31 + content.at[j];
			count[i] += content.len;
			free(copy);
		}
	}
	REQUIRE(broken[0] == broken[1] && b[0].done == b[1].done && count[0] == count[1] &&
	        sum[0] == sum[1] && http_body_end(&b[0]) == http_body_end(&b[1]));
}

/* Parses what was written, which must be a whole head and nothing after it. */
static inline void parse_written(parse_fn parse, struct http_head *h, const struct http_writer *w)
{
	struct http_scan scan = {0};

	REQUIRE(!w->overflow);
	REQUIRE(parse(h, &scan, w->buf, w->len) == (ssize_t)w->len);
	check_fields(h);
}
