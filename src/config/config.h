/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A configuration: an INI file read, checked and turned into immutable parts.
 * The schema (config/schema.h) is one table; every key is a row of it. Control
 * thread. */

#include "base/log.h"
#include "config/build_lua_tls.h"
#include "config/part.h"
#include "config/problem.h"
#include "lua/handlers.h"
#include "net/listener.h"
#include "net/resolver.h"
#include "proxy/access.h"
#include "proxy/proxy.h"
#include "proxy/route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct config_bind { /* one `bind` of a [listener] */
	struct listener_settings settings;
	char *text;  /* as configured; settings.passed points into it */
	char *place; /* file:line, for messages */
	struct proxy_listener *listener;
};

/* In place of a size. */
#define CONFIG_MEMORY_AUTO UINT64_C(0)
#define CONFIG_MEMORY_OFF  UINT64_MAX

/* Who the daemon is once it has started as root. */
struct config_identity {
	char *user; /* as configured; NULL = it stays who it is */
	uid_t uid;
	gid_t gid;
};

/* A key of [moongate], as it stands in the file. */
struct config_key {
	char *value; /* NULL = it is not given */
	char *place; /* file:line, for messages */
};

struct config {
	/* [moongate] */
	struct config_key *key; /* one for each row of the schema; others have none */
	struct config_identity identity;
	bool core_dumps, allow_root_handlers;
	unsigned workers; /* 0 = auto: one per core */
	char *log;        /* as log_open() takes it */
	enum log_level log_level;
	uint32_t log_rate;             /* log_set_rate() */
	char *access_log;              /* as log_access_open() takes it; NULL = off */
	struct access_settings access; /* is_on says the same */
	uint32_t drain_timeout_ms;
	struct resolver_settings resolver; /* owns its text */
	uint32_t address_table;            /* limit_table_resize() */
	char *tls_key_log;                 /* owned; NULL = off */
	uint64_t memory_max;               /* bytes; CONFIG_MEMORY_AUTO, CONFIG_MEMORY_OFF */

	struct lua_tls_keys lua_tls;
	struct lua_settings lua;       /* empty, once `handlers` has them */
	struct lua_handlers *handlers; /* referenced; NULL = no scripts */

	struct proxy_listener **listener; /* [listener NAME] in the order of the file; referenced */
	size_t listener_n;
	struct config_bind *bind;
	size_t bind_n;
	struct upstream_group **group; /* those that routes lead to; referenced */
	size_t group_n;
	struct route_table *routes;
	size_t route_n;
	struct parts parts[PART_KINDS];
};

/* Errors, one a line: `file:line: [section] key = value: want ...`, all of one
 * run; for stderr and the log. */
struct config_errors {
	char *text; /* lines joined by \n, warnings among them; NULL = none */
	struct problem_line *line;
	size_t line_n;
	size_t n;     /* errors, also those that the text only counts */
	size_t lacks; /* of these, what the system had not: another time there may be none */
};

/* Reads and checks everything that can be checked without opening sockets. NULL with
 * *errors filled. Warnings (a file that others may write) go to *errors with n = 0. */
struct config *config_load(const char *path, struct config_errors *errors);
/* The same beside a configuration that runs, which stays as it is: parts whose settings and
 * files are the same are carried over, so both have them. What only a start can change stays
 * as it is running, with a warning. */
struct config *config_reload(
        const char *path, const struct config *running, struct config_errors *errors);
/* The same from memory; `name` stands for the file in messages. For the fuzzer. */
struct config *config_load_text(
        const char *name, const char *text, size_t len, struct config_errors *errors);
struct config *config_reload_text(const char *name, const char *text, size_t len,
        const struct config *running, struct config_errors *errors);
/* Where a key of [moongate] stands, or `otherwise`. */
const char *config_place(const struct config *c, const char *key, const char *otherwise);
/* One more, because a call failed with errno `error`. */
void config_errors_add(struct config_errors *e, int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The i-th of its lines, borrowed. */
struct slice config_errors_line(const struct config_errors *e, size_t i);
void config_errors_free(struct config_errors *e);
void config_free(struct config *c);

/* Prints every section and key: value form, default, help. For --help-config and,
 * as roff, for the man page. */
void config_help(FILE *out);
void config_help_roff(FILE *out);
