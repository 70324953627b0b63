/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A handler set: all Lua of a configuration, as it was read. Immutable once checked;
 * counted by references across threads, so that a configuration that is read again can
 * carry it over when lua_handlers_equal(). A worker makes a VM for each set that it meets
 * (lua/vm.h). Made on the control thread. */

#include "base/slice.h"
#include "lua/ngx_re.h"
#include "proxy/handler.h"
#include "proxy/script.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua_handlers;
struct upstream_group;

/* The keys of [moongate]; config/ fills it. All text is owned. */
struct lua_settings {
	char *init, *init_worker, *exit_worker; /* files; NULL = none */
	char *package_path, *package_cpath;     /* with `;;` for the default */
	char *prefix;                           /* ngx.config.prefix(); ends in '/' */
	uint64_t memory_max;                    /* of each VM; 0 = off */
	uint32_t stall_ms;                      /* 0 = off */
	uint32_t max_pending_timers, max_running_timers;
	struct ngx_re_limits re;          /* lua_regex_... */
	uint64_t tls_digest[7];           /* of what handlers.tls was made of */
	bool is_cached;                   /* lua_code_cache; off: a VM for each request */
	struct handler_settings handlers; /* for timers and init_worker; tls: referenced */
};
void lua_settings_fini(struct lua_settings *s);

enum lua_script_kind {
	LUA_SCRIPT_HANDLER,
	LUA_SCRIPT_ACCESS,
	LUA_SCRIPT_LOG,
	LUA_SCRIPT_INIT,
	LUA_SCRIPT_INIT_WORKER,
	LUA_SCRIPT_EXIT_WORKER
};

/* One file in one role. A route's reference holds its whole set. */
struct lua_script {
	struct script script; /* front: what the route knows */
	struct lua_handlers *set;
	enum lua_script_kind kind;
	unsigned number;  /* among the set's: the place of its function in a VM */
	const char *path; /* as errors name it; lasts as long as the process */
	char *text;       /* what the file held */
	size_t len;
	bool is_refused; /* it does not compile, and that was told */
};

/* Takes the settings over (and leaves *s empty). */
struct lua_handlers *lua_handlers_new(struct lua_settings *s);
struct lua_handlers *lua_handlers_ref(struct lua_handlers *h);
void lua_handlers_unref(struct lua_handlers *h);

/* The script of that file and role, read now unless it was before. The set keeps it;
 * lua_script_ref() for a route. NULL with why, and errno: it
 * cannot be read. */
enum { LUA_WHY_MAX = 512 };
struct lua_script *lua_handlers_add(
        struct lua_handlers *h, enum lua_script_kind kind, const char *path, char why[LUA_WHY_MAX]);
/* For a route: a reference that holds the whole set. */
struct script *lua_script_ref(struct lua_script *s);
/* A group that scripts can choose by name. Takes a reference. */
void lua_handlers_add_group(struct lua_handlers *h, struct upstream_group *g);
struct upstream_group *lua_handlers_group(const struct lua_handlers *h, struct slice name);
/* ngx.shared[name], of that size. */
void lua_handlers_add_dict(struct lua_handlers *h, const char *name, size_t size);
/* The set is taken over: a later one finds its dictionaries by their names. Any thread. */
void lua_handlers_use_dicts(const struct lua_handlers *h);
/* Makes the dictionaries known to a new VM, as ngx.shared. */
void lua_handlers_open_dicts(const struct lua_handlers *h, lua_State *L);
/* False with why: `file:line: what`. Nothing of it runs. */
bool lua_script_compiles(const struct lua_script *s, char why[LUA_WHY_MAX]);
/* Compiles every script and runs init, in a VM that is then thrown away. False with why,
 * `file:line: what`, and errno if no file can be opened just now, by which init may have failed;
 * else 0. */
bool lua_handlers_check(struct lua_handlers *h, char why[LUA_WHY_MAX]);

/* A module's file was read by require: a later configuration is the same only while the file is.
 * Any thread. */
void lua_handlers_add_module(struct lua_handlers *h, const char *path);
/* Whether one of those files has changed since. */
bool lua_handlers_is_stale(struct lua_handlers *h);
bool lua_handlers_is_empty(const struct lua_handlers *h);
/* Settings and the contents of every file are the same. */
bool lua_handlers_equal(const struct lua_handlers *a, const struct lua_handlers *b);
const struct lua_settings *lua_handlers_settings(const struct lua_handlers *h);
unsigned lua_handlers_count(const struct lua_handlers *h);
const struct lua_script *lua_handlers_script(const struct lua_handlers *h, unsigned number);
/* The set's own script in that role, or NULL. */
const struct lua_script *lua_handlers_own(const struct lua_handlers *h, enum lua_script_kind kind);
