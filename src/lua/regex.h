/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Regular expressions of Perl's kind: PCRE2, with what ngx_lua's options mean, and error words
 * and numbers as PCRE1 has them, which scripts know.
 *
 * No pattern and no subject can exhaust the stack: matching without JIT keeps its state on the
 * heap, up to a limit; the JIT's stack is a mapping of its own; the analysis of alternatives side
 * by side (option d) is limited in depth. One thread for an engine and what it compiled. */

#include "base/list.h"
#include "base/slice.h"

enum regex_option {
	REGEX_ONCE = 1 << 0,      /* o: keep it compiled; for the caller */
	REGEX_DFA = 1 << 1,       /* d: the longest match, without captures */
	REGEX_JIT = 1 << 2,       /* j */
	REGEX_DUP_NAMES = 1 << 3, /* D */
	REGEX_CASELESS = 1 << 4,  /* i */
	REGEX_MULTILINE = 1 << 5, /* m */
	REGEX_DOT_ALL = 1 << 6,   /* s */
	REGEX_EXTENDED = 1 << 7,  /* x */
	REGEX_ANCHORED = 1 << 8,  /* a */
	REGEX_UTF = 1 << 9,       /* u */
	REGEX_UTF_ANY =
	        1 << 10, /* U: UTF-8, of which nothing is checked and broken parts match nothing */
	REGEX_JS = 1 << 11, /* J */
};

/* What PCRE1 calls its results, so far as callers ask. */
enum { REGEX_NO_MATCH = -1, REGEX_NO_MEMORY = -6, REGEX_MATCH_LIMIT = -8 };

enum { REGEX_ERROR_MAX = 128 };

struct regex_engine;

/* NULL without memory. */
struct regex_engine *regex_engine_new(void);
void regex_engine_free(struct regex_engine *e);
/* How often one match may try again; 0: ten million. */
void regex_engine_set_match_limit(struct regex_engine *e, uint32_t limit);
/* False when it is no good size. The stack stays as it was then. */
bool regex_engine_set_jit_stack(struct regex_engine *e, size_t size);

/* One compiled pattern, embedded by its owner. It does not need its engine to live. */
struct regex {
	void *code;
	unsigned options;
	uint32_t captures;    /* groups, without the whole match; none with REGEX_DFA */
	const uint8_t *names; /* PCRE's table: two bytes of number, the name, NUL */
	uint32_t name_count, name_size;
};

/* Reads options as text. Returns -1 and the byte that is none at *bad. */
int regex_options(struct slice text, uint8_t *bad);
/* False with words as NUL-terminated text. */
bool regex_compile(
        struct regex *re, struct slice pattern, unsigned options, char error[REGEX_ERROR_MAX]);
void regex_fini(struct regex *re);

/* Where a match is: from and to of all of it, of the first group, ...; REGEX_UNSET for both where
 * a group had no part in it. */
#define REGEX_UNSET ((size_t)-1)

/* Looks for a match that begins at `from` or later. `spans` has room for 2 * (captures + 1).
 * `again`: the engine has gone over this subject before and found it to be UTF-8.
 *
 * Returns 0, or a number below 0 of PCRE1's. */
int regex_exec(struct regex_engine *e, const struct regex *re, struct slice subject, size_t from,
        bool again, size_t *spans);
/* Where to look next: at the end of what was found, one character on if that was empty.
 * Past the subject's end: nowhere. */
size_t regex_next(const struct regex *re, struct slice subject, const size_t *spans);
