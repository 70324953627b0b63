/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* INI text as sections and keys, each with its line. inih parses; what it would
 * cut, join or pass over in silence is seen and refused here:
 *
 * - a line that does not fit its buffer (a comment may have any length),
 * - a section name over its limit, text behind a section's `]`,
 * - a key outside any section, a line that is no `key = value`; `key: value`,
 * - an indented line that looks like a key or section of its own: it would
 *   continue the value above,
 * - control bytes; NUL anywhere; UTF-16.
 *
 * Indented lines continue a value, joined by one space. Comments begin with `;`
 * or `#` at the start of a line, or with ` ;` behind a value. A UTF-8 BOM and
 * CRLF are accepted. Control thread. */

#include "config/problem.h"

#include <stdbool.h>
#include <stddef.h>

struct reader_file {
	char *name;      /* as given, for messages */
	unsigned number; /* order of reading */
};

struct reader_entry {
	unsigned line;
	char *key, *value;
	bool is_refused; /* by whoever has parsed the value */
};

struct reader_section {
	const struct reader_file *file;
	unsigned line;
	char *kind, *name;          /* of [kind name]; name is "" for [kind] */
	struct reader_entry *entry; /* in the order of the file; repeated keys stay */
	size_t entry_n, entry_cap;
	bool has_refused_line; /* what seems to be missing may have stood there */
};

struct reader_doc {
	struct reader_section **section; /* in the order of reading */
	size_t n, cap;
	bool has_refused_section; /* a section is missing because its header was refused */
};

/* Adds the sections of a text to doc, and what is wrong to problems. The file
 * must outlive doc. */
void reader_read(struct reader_doc *doc, const struct reader_file *file, const char *text,
        size_t len, struct problems *problems);
void reader_doc_fini(struct reader_doc *doc);

/* The first entry of that key, or NULL. */
const struct reader_entry *reader_find(const struct reader_section *s, const char *key);
struct problem_place reader_place(const struct reader_file *file, unsigned line);
