/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* One value of a configuration file to the field it fills. Nothing but what the
 * key's form says is accepted: no sign, no hex, no text behind it. */

#include "config/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct address;
struct schema_key;

struct parse {
	const struct schema_key *key;
	const struct reader_file *file; /* relative paths are relative to it; NULL for a default */
	const struct reader_entry *entry;
	const char *value;
	bool first;    /* in its section: a list begins anew */
	char why[480]; /* on failure; "" = "want" and the key's form */
	int error;     /* errno of the call that failed, when it was refused for that */
};

/* False when the value is refused; the field is unchanged then. */
typedef bool (*parse_fn)(struct parse *p, void *field);

/* Numbers within the key's bounds, into unsigned fields of 4 or 8 bytes. */
bool parse_count(struct parse *p, void *field);
bool parse_size(struct parse *p, void *field);   /* k, m, g: powers of 1024 */
bool parse_memory(struct parse *p, void *field); /* the same, or CONFIG_MEMORY_OFF */
bool parse_time(struct parse *p, void *field);   /* ms, s, m, h; into milliseconds */

bool parse_on_off(struct parse *p, void *field);        /* bool */
bool parse_remask(struct parse *p, void *field);        /* enum route_remask */
bool parse_log_level(struct parse *p, void *field);     /* enum log_level */
bool parse_log(struct parse *p, void *field);           /* char *: owned */
bool parse_log_rate(struct parse *p, void *field);      /* uint32_t: lines a second; 0 = off */
bool parse_access_log(struct parse *p, void *field);    /* char *: owned; NULL = off */
bool parse_key_log(struct parse *p, void *field);       /* char *: owned; NULL = off */
bool parse_access_format(struct parse *p, void *field); /* enum record_format */
bool parse_access_fields(struct parse *p, void *field); /* uint64_t: bits */
bool parse_access_sample(struct parse *p, void *field); /* uint32_t: of a hundred */
bool parse_resolver(struct parse *p, void *field);      /* struct resolver_settings: servers */
bool parse_mode(struct parse *p, void *field);          /* mode_t */
bool parse_owner(struct parse *p, void *field);         /* uid_t */
bool parse_group(struct parse *p, void *field);         /* gid_t */
bool parse_user(struct parse *p, void *field);          /* struct config_identity */
bool parse_bind(struct parse *p, void *field);          /* struct draft_listener: one more bind */
bool parse_server(struct parse *p, void *field);        /* struct draft_upstream: one more server */
bool parse_source(struct parse *p, void *field);        /* struct draft_upstream: one more source */
bool parse_balance(struct parse *p, void *field);       /* enum upstream_balance */
bool parse_hash_key(struct parse *p, void *field);      /* struct draft_hash_key */
bool parse_sticky(struct parse *p, void *field);        /* char *: owned; NULL = off */
bool parse_file(struct parse *p, void *field);          /* char *: owned; a path */
bool parse_attributes(struct parse *p, void *field);    /* char *: owned */
bool parse_path(struct parse *p, void *field);          /* struct draft_path */
bool parse_respond(struct parse *p, void *field);       /* struct draft_respond */
bool parse_name(struct parse *p, void *field);          /* const struct reader_entry * */
bool parse_host(struct parse *p, void *field);          /* struct draft_route: one more host */
bool parse_header(struct parse *p, void *field);        /* struct draft_route: one more condition */
bool parse_query(struct parse *p, void *field);         /* struct draft_route: one more condition */
bool parse_origin(struct parse *p, void *field);        /* struct origin_list *: one more */
bool parse_origin_missing(struct parse *p, void *field); /* enum origin_missing */
bool parse_subprotocol(struct parse *p, void *field);    /* struct token_list *: one more */
bool parse_rate(struct parse *p, void *field);           /* struct limit_rate */
bool parse_exempt(struct parse *p, void *field);         /* struct limit_exempt *: one more */
bool parse_names(struct parse *p, void *field);          /* struct draft_names: one more */
bool parse_include(struct parse *p, void *field); /* followed when the file is read; no field */

bool parse_script(struct parse *p, void *field);         /* char *: owned, a path; NULL = off */
bool parse_lua_path(struct parse *p, void *field);       /* char *: owned */
bool parse_compat(struct parse *p, void *field);         /* bool: strict */
bool parse_yes_no(struct parse *p, void *field);         /* bool */
bool parse_rule(struct parse *p, void *field);           /* checked; no field */
bool parse_forwarded(struct parse *p, void *field);      /* enum rules_forward */
bool parse_upstream_host(struct parse *p, void *field);  /* checked; no field */
bool parse_request_id(struct parse *p, void *field);     /* checked; no field */
bool parse_strip_prefix(struct parse *p, void *field);   /* checked; no field */
bool parse_replace_prefix(struct parse *p, void *field); /* checked; no field */
bool parse_trusted_proxy(struct parse *p, void *field);  /* struct cidr_list: one more */
bool parse_health(struct parse *p, void *field);         /* enum upstream_health */
bool parse_health_path(struct parse *p, void *field);    /* char *: owned */
bool parse_proxy_protocol(struct parse *p, void *field); /* enum proxy_header_version */
bool parse_trusted_header(struct parse *p, void *field); /* enum trust_header */

bool parse_tls_client(struct parse *p, void *field);   /* struct draft_route: one more condition */
bool parse_tls_file(struct parse *p, void *field);     /* struct draft_file */
bool parse_tls_files(struct parse *p, void *field);    /* struct draft_files: one more */
bool parse_tls_version(struct parse *p, void *field);  /* enum tls_floor */
bool parse_tls_ciphers(struct parse *p, void *field);  /* char *: owned */
bool parse_tls_suites(struct parse *p, void *field);   /* char *: owned */
bool parse_tls_groups(struct parse *p, void *field);   /* char *: owned */
bool parse_tls_unknown(struct parse *p, void *field);  /* bool: refuse */
bool parse_tls_versions(struct parse *p, void *field); /* struct tls_versions */
bool parse_tls_command(struct parse *p, void *field);  /* char *, a line for each */
bool parse_tls_verify(struct parse *p, void *field);   /* enum tls_verify */
bool parse_tls_name(struct parse *p, void *field);     /* char *: owned */

/* A path of a file, relative ones to the directory of `file`; owned by the caller. */
char *parse_relative(const struct reader_file *file, const char *path);

/* For parsers. Notes why the value is refused; returns false. */
bool parse_refuse(struct parse *p, const char *why);
bool parse_refuse_port(struct parse *p);
/* The place of the value among words; a list ends with NULL. -1: none of them. */
int parse_word(const struct parse *p, const char *const *words);
/* Decimal digits at the front of a text; what follows them goes to *rest. */
bool parse_digits(const char *text, uint64_t *out, const char **rest);
/* A port and nothing behind it: 1 to 65535, digits only. */
bool parse_port(const char *text, uint16_t *out);
/* The PATH of unix:PATH, made relative to the file's folder. */
bool parse_unix_address(struct parse *p, const char *path, struct address *out);
