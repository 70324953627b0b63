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
enum { RECORD_KEY_MAX = 28, RECORD_KEY_ROOM = RECORD_KEY_MAX + 4 };
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
/* What was written once and stands in other records of the same form, too: whole keys with their
 * values. */
enum { RECORD_PIECE_MAX = 256 };
struct record_piece {
	size_t len;
	char bytes[RECORD_PIECE_MAX];
};
/* Keeps what was added since the record had `from` bytes. False: it is too much. */
bool record_keep(const struct record *r, size_t from, struct record_piece *piece);
/* Begins as that one did of which the piece is the beginning. */
void record_begin_as(struct record *r, char *buf, size_t max, enum record_format format,
        const struct record_piece *piece);
void record_piece(struct record *r, const struct record_piece *piece);

void record_slice(struct record *r, const struct record_key *key, struct slice value);
void record_text(struct record *r, const struct record_key *key, const char *value);
/* A value that is known to be bare: letters, digits and ._-/:@%+,[] only. */
void record_bare(struct record *r, const struct record_key *key, struct slice value);
/* Such a value of at most `max` bytes that is written where it stands, up to its end. NULL: there
 * is no room for it. */
char *record_open(struct record *r, const struct record_key *key, size_t max);
void record_close(struct record *r, char *end);
/* A number that stands as text: it may have more digits than many a reader keeps of one. */
void record_id(struct record *r, const struct record_key *key, uint64_t value);
void record_num(struct record *r, const struct record_key *key, uint64_t value);

/* Numbers that follow each other: of n keys, those whose bit is set in `wanted`, counted from the
 * least. */
struct record_row {
	const struct record_key *keys;
	uint64_t wanted;
	uint64_t counts; /* in text they stand there with 0, too */
	size_t room;     /* that it takes at most */
};
void record_row_init(struct record_row *row, const struct record_key *keys, unsigned n,
        uint64_t wanted, uint64_t counts);
/* A value for each key whose bit is set in `given`: of the counts, those that are not 0. */
void record_row(
        struct record *r, const struct record_row *row, uint64_t given, const uint64_t *values);

/* Ends the line with a line feed. False: it did not fit and is worth nothing. */
bool record_end(struct record *r);
