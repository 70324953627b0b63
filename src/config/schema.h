/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every section and key there is, in one table: what reads it, its bounds,
 * default, whether a reload can change it, and what it means. The loader, the
 * messages, --help-config and the man page's list all come from here. */

#include "base/slice.h"
#include "config/parse.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_kind {
	KIND_MOONGATE,
	KIND_LISTENER,
	KIND_UPSTREAM,
	KIND_ROUTE,
	KIND_DEFAULTS,
	KIND_SHARED_DICT,
	KIND_N
};

struct schema_section {
	const char *name;
	bool is_named; /* [kind name], once per name; otherwise [kind], once per file */
	const char *help;
};
extern const struct schema_section schema_section[KIND_N];

enum {
	KEY_REPEAT = 1 << 0, /* may be given more than once */
	KEY_REQUIRED = 1 << 1,
	KEY_OFF = 1 << 2,  /* the word off stands for 0 */
	KEY_AUTO = 1 << 3, /* the word auto stands for 0 */
	KEY_ZERO = 1 << 4, /* 0 is allowed though it is below the lower bound */
	KEY_DEFAULTS =
	        1 << 5, /* a route's key that [defaults] may hold; its field is in route_settings */
	KEY_RELOAD = 1 << 6, /* a reload can change it */
	KEY_FILE = 1 << 7,   /* names a file whose bytes belong to the setting (config/part.h) */
	KEY_LEADS = 1 << 8,  /* without it, the keys NAME_... of its section do nothing */
	KEY_WORDS = 1 << 9,  /* a list of words, with blanks between them */
};

struct schema_key {
	enum schema_kind kind;
	const char *name;
	parse_fn parse;
	size_t offset, size; /* of the field in the kind's draft */
	uint64_t min, max;
	const char *initial; /* the default, as one would write it; NULL = none */
	unsigned flags;
	const char *form; /* what may be written; NULL = derived from the bounds */
	const char *help;
};
extern const struct schema_key schema_key[];
extern const size_t schema_key_n;
enum { SCHEMA_KEYS_MAX = 240 };

/* NULL: none such. */
const struct schema_section *schema_find_section(const char *kind);
const struct schema_key *schema_find(enum schema_kind kind, const char *name);
/* Whether any section has such a key. */
bool schema_is_key(struct slice name);
/* Whether `k` does nothing where `lead`, which has KEY_LEADS, is not given. */
bool schema_is_led(const struct schema_key *lead, const struct schema_key *k);
/* Whether a section of that kind may hold the key. */
bool schema_allows(enum schema_kind kind, const struct schema_key *k);

/* What may be written, as `off | 4k..64m`. Returns out. */
enum { SCHEMA_FORM_MAX = 160 };
const char *schema_form(const struct schema_key *k, char out[SCHEMA_FORM_MAX]);

/* A value as one would write it, for keys whose field is a number or one of some
 * words. False for others. */
bool schema_value(const struct schema_key *k, const void *field, char out[SCHEMA_FORM_MAX]);

/* The key or section that was probably meant, or NULL. */
const char *schema_suggest_key(enum schema_kind kind, const char *name);
const char *schema_suggest_section(const char *kind);
/* Another section kind that has this key, or NULL. */
const struct schema_section *schema_elsewhere(enum schema_kind kind, const char *name);
