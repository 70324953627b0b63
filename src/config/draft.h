/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Sections as the schema's parsers fill them, before names are resolved and
 * everything is judged together. Control thread. */

#include "config/config.h"
#include "config/reader.h"
#include "net/tls_server.h"
#include "upstream/group.h"

/* Values that name other sections, as they stand in the file. */
struct draft_names {
	const struct reader_entry **entry;
	size_t n;
};

struct draft_bind {
	const struct reader_entry *entry;
	char *text;
	struct address address; /* len 0: one that was passed to us */
};

/* The NAME of fd:NAME; NULL for other binds. */
static inline const char *draft_passed(const struct draft_bind *b)
{
	return b->address.len == 0 ? b->text + 3 : NULL;
}

/* A file that a key names. */
struct draft_file {
	const struct reader_entry *entry;
	char *path; /* owned; NULL = not given */
};
struct draft_files {
	struct draft_file *at;
	size_t n;
};

struct draft_listener_tls {
	struct draft_files certificate, key, ticket_key, ocsp;
	struct draft_file client_ca;
	enum tls_verify verify;
	enum tls_floor min_version;
	char *ciphers, *ciphersuites, *groups; /* owned */
	bool refuse_unknown;
	uint32_t timeout_ms;
};

struct draft_upstream_tls {
	struct draft_file ca, certificate, key;
	bool verify;
	char *name; /* owned; NULL = not given */
};

struct draft_listener {
	const struct reader_section *section;
	struct part part; /* of what it is built of; `at` is not used here */
	unsigned number;  /* of the listener when it is built */
	bool has_number;
	struct draft_bind *bind;
	size_t bind_n;
	uint32_t handshake_timeout_ms, keepalive_timeout_ms;
	struct limit_settings limits;
	struct listener_settings settings; /* all but the address */
	struct cidr_list trusted;          /* moves to the listener when that is built */
	enum trust_header trusted_header;
	bool proxy_protocol;
	struct cidr_list proxy_protocol_from; /* moves as well */
	struct draft_listener_tls tls;
};

/* One `server` of an upstream; its weight and limits are 0 when not given. */
struct draft_server {
	const struct reader_entry *entry;
	struct upstream_server server; /* moves to the group when that is built */
	bool is_service;               /* its host is a service, whose targets are the servers */
	int listener;                  /* of ours that it is, or -1 */
	bool is_loop_told;
};

struct draft_hash_key {
	enum upstream_hash source;
	char *name;
};

struct draft_upstream {
	const struct reader_section *section;
	struct part part;
	struct draft_server *server;
	size_t server_n;
	struct address *source;
	size_t source_n;
	enum upstream_balance balance;
	struct draft_hash_key hash_key;
	uint32_t max_connections, queue, queue_timeout_ms;
	uint32_t tries, max_fails, fail_timeout_ms, slow_start_ms;
	uint32_t connect_timeout_ms, answer_timeout_ms, spare, spare_idle_ms;
	struct socket_options socket;
	enum proxy_header_version proxy_protocol;
	enum upstream_health health;
	uint32_t health_interval_ms, health_timeout_ms, health_rise, health_fall;
	char *health_path;                                /* owned */
	char *sticky, *sticky_secret, *sticky_attributes; /* owned; NULL = not given */
	uint32_t sticky_ttl_ms;
	struct draft_upstream_tls tls;
	struct upstream_group *group; /* once built */
	bool is_used;
};

struct draft_respond {
	unsigned status;
	char *location;
};

struct draft_path {
	char *text; /* NULL: none given, or every path */
	bool prefix;
};

struct draft_route {
	const struct reader_section *section;
	struct part part;
	struct draft_names listener;
	struct draft_path path;
	const struct reader_entry *upstream;
	struct draft_respond respond;
	bool echo;
	char *handler, *access, *log_handler; /* files; owned */
	struct lua_tls_keys lua_tls;
	struct route_settings settings;
	struct route *route; /* its hosts and conditions at once, the rest once built */
	bool is_clash_told;
};

struct draft_shared_dict {
	const struct reader_section *section;
	uint64_t size;
};

struct draft {
	struct config *config;        /* [moongate] goes straight there */
	const struct config *running; /* whose parts may be carried over, or NULL */
	struct route_settings defaults;
	const struct reader_section **defaults_from; /* the sections [defaults], in their order */
	size_t defaults_n;
	struct draft_listener *listener;
	size_t listener_n;
	struct draft_upstream *upstream;
	size_t upstream_n;
	struct draft_route *route;
	size_t route_n;
	struct draft_shared_dict *shared_dict;
	size_t shared_dict_n;
	struct reader_doc doc;
	struct problems problems;
	bool is_memory; /* no file is looked at */
};

void draft_init(struct draft *d);
void draft_fini(struct draft *d);
/* Fills the drafts from the sections read; what is wrong goes to problems. */
void draft_apply(struct draft *d);
/* A key of [moongate], of which several files may hold one, and where it stands; NULL: it is not
 * given. */
const struct reader_entry *draft_process_entry(
        const struct draft *d, const char *key, const struct reader_section **section);
/* Whether nothing in a section was refused that may have been meant for a key
 * that seems to be missing. */
bool draft_is_whole(const struct reader_section *s);
/* Whether a value of that key was refused: others that need it are not to blame. */
bool draft_is_refused(const struct reader_section *s, const char *key);
/* `[kind name]` of a section. Returns out. */
enum { DRAFT_TITLE_MAX = 64 };
const char *draft_title(const struct reader_section *s, char out[DRAFT_TITLE_MAX]);
/* An error at a key: `[section] key = value: why`. */
void draft_error(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* How a list is written, to stand behind what is wrong with a value that seems to be one; "" if
 * it does not. The key is one of its section's. */
const char *draft_list_hint(const struct reader_section *s, const struct reader_entry *e);
/* An error of a whole section. */
void draft_section_error(struct draft *d, const struct reader_section *s, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
