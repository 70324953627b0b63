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

/* A key as JSON writes it; of fixed size, so that it is copied by a few moves. */
enum { RECORD_KEY_MAX = 20, RECORD_KEY_ROOM = RECORD_KEY_MAX + 4 };
struct record_key {
	size_t len; /* of the name */
	char json[RECORD_KEY_ROOM];
};
#define RECORD_KEY(name)                           \
	{                                          \
		sizeof(name) - 1, ",\"" name "\":" \
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
/* A value that is known to be bare: letters, digits and ._-/:@%+,[] only. */
void record_bare(struct record *r, const struct record_key *key, struct slice value);
/* A number that stands as text: it may have more digits than many a reader keeps of one. */
void record_id(struct record *r, const struct record_key *key, uint64_t value);
void record_num(struct record *r, const struct record_key *key, uint64_t value);

/* Numbers that follow each other: of n keys, those whose bit is set in `wanted`, counted from the
 * least. One that is RECORD_ABSENT is left out, and so is, in JSON, a count that is 0. */
#define RECORD_ABSENT UINT64_MAX
struct record_row {
	const struct record_key *keys;
	uint64_t wanted;
	uint64_t counts; /* the keys whose values are counts */
	size_t room;     /* that it takes at most */
};
void record_row_init(struct record_row *row, const struct record_key *keys, unsigned n,
        uint64_t wanted, uint64_t counts);
/* One value for each of the n keys. */
void record_row(struct record *r, const struct record_row *row, const uint64_t *values);

/* Ends the line with a line feed. False: it did not fit and is worth nothing. */
bool record_end(struct record *r);
