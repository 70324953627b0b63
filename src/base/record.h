/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A record of keys and values on one line of ASCII: a JSON object, or in the shape of a log
 * line. Nothing in a value can break it.
 *
 * JSON: `"`, `\` and all that is not printable ASCII are escaped, characters by their code
 * points (a pair of surrogates over U+FFFF); a byte that is not part of sound UTF-8 stands as
 * \u00XX, as if it were Latin-1. Text: as log.h says. Keys are literals that need no escape. */

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_format { RECORD_JSON, RECORD_TEXT };

/* A key as each format writes it; of fixed size, so that it is copied by two moves. */
enum { RECORD_KEY_MAX = 20, RECORD_KEY_ROOM = RECORD_KEY_MAX + 4 };
struct record_key {
	size_t len;                       /* of the name */
	char written[2][RECORD_KEY_ROOM]; /* by enum record_format */
};
#define RECORD_KEY(name)                               \
	{                                              \
		sizeof(name) - 1,                      \
		{                                      \
			",\"" name "\":", " " name "=" \
		}                                      \
	}

struct record {
	char *at;
	size_t len, max;
	enum record_format format;
	bool overflow; /* something did not fit: nothing more is added */
};

/* The record has at most max bytes, but the RECORD_KEY_ROOM bytes behind them are written to too.
 * `event` stands first: "event":"end" in JSON, the line's event in text, behind the time and
 * the level info. `time` is as clock_iso() writes it, or NULL: not in JSON. */
void record_begin(struct record *r, char *buf, size_t max, enum record_format format,
        const char *time, const char *event);
void record_slice(struct record *r, const struct record_key *key, struct slice value);
void record_text(struct record *r, const struct record_key *key, const char *value);
void record_num(struct record *r, const struct record_key *key, uint64_t value);
/* Of n keys those whose bit, counted from the least, is set in `wanted`; n <= 64. */
void record_nums(struct record *r, const struct record_key *keys, const uint64_t *values,
        unsigned n, uint64_t wanted);
/* Ends the line with a line feed. False: it did not fit and is worth nothing. */
bool record_end(struct record *r);
