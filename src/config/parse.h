/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One value of a configuration file to the field it fills. Nothing but what the
 * key's form says is accepted: no sign, no hex, no text behind it. */

#include "config/reader.h"

#include <stdbool.h>

struct schema_key;

struct parse {
	const struct schema_key *key;
	const struct reader_file *file; /* relative paths are relative to it; NULL for a default */
	const struct reader_entry *entry;
	const char *value;
	char why[200]; /* on failure; "" = "want" and the key's form */
};

/* False when the value is refused; the field is unchanged then. */
typedef bool (*parse_fn)(struct parse *p, void *field);

/* Numbers within the key's bounds, into unsigned fields of 4 or 8 bytes. */
bool parse_count(struct parse *p, void *field);
bool parse_size(struct parse *p, void *field); /* k, m, g: powers of 1024 */
bool parse_time(struct parse *p, void *field); /* ms, s, m, h; into milliseconds */

bool parse_on_off(struct parse *p, void *field);    /* bool */
bool parse_remask(struct parse *p, void *field);    /* enum route_remask */
bool parse_log_level(struct parse *p, void *field); /* enum log_level */
bool parse_log(struct parse *p, void *field);       /* char *: owned */
bool parse_mode(struct parse *p, void *field);      /* mode_t */
bool parse_owner(struct parse *p, void *field);     /* uid_t */
bool parse_group(struct parse *p, void *field);     /* gid_t */
bool parse_bind(struct parse *p, void *field);      /* struct draft_listener: one more bind */
bool parse_server(struct parse *p, void *field);    /* struct upstream_server */
bool parse_path(struct parse *p, void *field);      /* struct draft_path */
bool parse_respond(struct parse *p, void *field);   /* struct draft_respond */
bool parse_name(struct parse *p, void *field);      /* const struct reader_entry * */
bool parse_names(struct parse *p, void *field);     /* struct draft_names: one more */
bool parse_include(struct parse *p, void *field);   /* followed when the file is read; no field */

/* A path of a file, relative ones to the directory of `file`; owned by the caller. */
char *parse_relative(const struct reader_file *file, const char *path);
