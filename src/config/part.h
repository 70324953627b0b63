/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The parts of a configuration, each with what tells whether the next configuration has the
 * same: a digest of its settings, as they are written, and of the files that they name.
 * Texts are compared, not what they mean, so that no key can be forgotten; `10s` that
 * becomes `10000ms` makes a new part, which does no harm. Control thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum part_kind { PART_LISTENER, PART_UPSTREAM, PART_ROUTE, PART_KINDS };

enum { PART_DIGEST_LEN = 32 };

struct part {
	char *name;
	void *at; /* struct proxy_listener, upstream_group, route; referenced */
	bool has_digest;
	uint8_t digest[PART_DIGEST_LEN];
};

/* Those of one kind. */
struct parts {
	struct part *at;
	size_t n;
};

/* What became of the parts of the configuration before. */
struct part_counts {
	unsigned kept;    /* carried over: the same pointer */
	unsigned fresh;   /* there was none of that name */
	unsigned changed; /* there was one with other settings */
	unsigned gone;
};

struct draft;
struct reader_section;

/* The lines of [defaults], which count in every route that does not say otherwise. */
struct part_lines {
	struct line *at;
	size_t n;
};
struct part_lines part_defaults(const struct draft *d);
void part_lines_fini(struct part_lines *all);

/* Notes the digest of a section, which makes a part of that kind. Before the part is built:
 * a file that changes in between is then read again by the next reload. */
void part_digest(struct part *p, const struct draft *d, enum part_kind kind,
        const struct reader_section *s, const struct part_lines *defaults);
bool part_is_same(const struct part *a, const struct part *b);

/* Room for n, to be filled by parts_add() with the name of `p` and its digest; takes a
 * reference to `at`. */
void parts_init(struct parts *all, size_t n);
void parts_add(struct parts *all, enum part_kind kind, const struct part *p, void *at);
void parts_fini(struct parts *all, enum part_kind kind);
/* NULL: none of that name. */
const struct part *parts_find(const struct parts *all, const char *name);
/* Before parts_find(): no more are added. */
void parts_sort(struct parts *all);
struct part_counts parts_compare(const struct parts *before, const struct parts *now);
