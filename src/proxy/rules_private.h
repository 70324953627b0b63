/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What rules consist of, for the files that make them (proxy/rules.c), mark what goes no
 * further (proxy/rules_filter.c) and write lines (proxy/rules_put.c). */

#include "proxy/rules.h"

/* Beside the variables of configurations, what the lines of our own consist of. */
enum {
	RULES_TEXT = RULES_VARIABLES, /* no variable: the part's own text */
	RULES_FORWARDED_FOR,
	RULES_FORWARDED_PORT,
	RULES_FORWARDED,
};

struct rules_part {
	unsigned kind; /* enum rules_variable, or one of the above */
	struct slice text;
};

struct rules_line {
	char *name, *text; /* owned; the parts' texts are in `text` */
	struct rules_part *part;
	size_t part_n;
	bool yields; /* to the same field of a trusted proxy that is appended to */
};

struct rules_drop {
	char *name; /* folded */
	size_t len; /* of the name */
	bool aliases_only;
};

struct rules {
	enum rules_side side;
	enum rules_forward forward;
	struct rules_line *line;
	size_t line_n;
	struct rules_drop *drop;
	size_t drop_n;
	uint64_t drop_lens; /* bit n % 64: a name of n bytes is to be dropped */
	uint32_t used;      /* bit per enum rules_variable that some line has */
	bool is_constant;   /* no line has anything but its own text */
};

/* Whether the rules say that the field stays behind. */
bool rules_drops(const struct rules *r, const struct http_field *f);
/* The peer says by these what only those before the application can know. */
bool rules_is_forwarding(struct slice name);
