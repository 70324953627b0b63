/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_lua.h"

#include "base/mem.h"
#include "config/draft.h"
#include "lua/shared_dict.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool has_access(const struct draft *d)
{
	for (size_t i = 0; i < d->route_n; i++)
		if (d->route[i].access)
			return true;
	return false;
}

void build_lua_groups(struct draft *d)
{
	for (size_t i = 0; i < d->upstream_n && has_access(d); i++)
		d->upstream[i].is_used = true;
}

static bool has_scripts(const struct draft *d)
{
	const struct lua_settings *s = &d->config->lua;
	if (s->init || s->init_worker || s->exit_worker)
		return true;
	for (size_t i = 0; i < d->route_n; i++)
		if (d->route[i].handler || d->route[i].access || d->route[i].log_handler)
			return true;
	return false;
}

/* Root reads the configuration only to learn who to be: then nothing of it runs yet. */
static bool is_only_looking(const struct draft *d)
{
	return geteuid() == 0 && d->config->identity.user;
}

static struct problem_place whole(const struct draft *d)
{
	return (struct problem_place){d->doc.section[0]->file->name, 0, 0};
}

static bool is_root_allowed(struct draft *d)
{
	if (geteuid() != 0 || d->config->identity.user || d->config->allow_root_handlers)
		return true;
	const struct reader_section *s;
	const struct reader_entry *user = draft_process_entry(d, "user", &s);
	if (user && user->is_refused)
		return false;
	problem_error(&d->problems, whole(d),
	        "scripts would run as root: want user = NAME in [moongate], or "
	        "allow_root_handlers = yes%s",
	        d->running ? ", and a restart" : "");
	return false;
}

/* ---- scripts ---- */

/* One that could not be read; errno tells by which call. */
static void refuse_file(struct draft *d, const struct reader_section *s,
        const struct reader_entry *e, const char *why)
{
	int error = errno;
	draft_error(d, s, e, "%s", why);
	problem_cause(&d->problems, error);
}

static struct lua_script *add(struct draft *d, struct lua_handlers *h, const struct draft_route *r,
        enum lua_script_kind kind, const char *key, const char *path)
{
	char why[LUA_WHY_MAX];
	struct lua_script *s = path ? lua_handlers_add(h, kind, path, why) : NULL;
	if (path && !s)
		refuse_file(d, r->section, reader_find(r->section, key), why);
	return s;
}

/* Where a key of the process stands; NULL: nowhere. */
static const struct reader_entry *find_own(
        const struct draft *d, const char *key, const struct reader_section **s)
{
	const struct reader_entry *e = NULL;
	for (size_t i = 0; !e && i < d->doc.n; i++) {
		*s = d->doc.section[i];
		if (strcmp((*s)->kind, "moongate") == 0)
			e = reader_find(*s, key);
	}
	return e;
}

static void add_own(struct draft *d, struct lua_handlers *h, enum lua_script_kind kind,
        const char *key, const char *path)
{
	char why[LUA_WHY_MAX];
	const struct reader_section *s;
	const struct reader_entry *e = path ? find_own(d, key, &s) : NULL;
	if (e && !lua_handlers_add(h, kind, path, why))
		refuse_file(d, s, e, why);
}

static void add_scripts(struct draft *d, struct lua_handlers *h)
{
	for (size_t i = 0; i < d->route_n; i++) {
		const struct draft_route *r = &d->route[i];
		add(d, h, r, LUA_SCRIPT_HANDLER, "handler", r->handler);
		add(d, h, r, LUA_SCRIPT_ACCESS, "access", r->access);
		add(d, h, r, LUA_SCRIPT_LOG, "log_handler", r->log_handler);
	}
	const struct lua_settings *own = lua_handlers_settings(h);
	add_own(d, h, LUA_SCRIPT_INIT, "init", own->init);
	add_own(d, h, LUA_SCRIPT_INIT_WORKER, "init_worker", own->init_worker);
	add_own(d, h, LUA_SCRIPT_EXIT_WORKER, "exit_worker", own->exit_worker);
}

/* What scripts find by name. */
static void add_names(struct draft *d, struct lua_handlers *h)
{
	for (size_t i = 0; i < d->upstream_n && has_access(d); i++)
		lua_handlers_add_group(h, d->upstream[i].group);
	for (size_t i = 0; i < d->shared_dict_n; i++)
		lua_handlers_add_dict(h, d->shared_dict[i].section->name, d->shared_dict[i].size);
}

static struct script *script_of(struct lua_handlers *h, enum lua_script_kind kind, const char *path)
{
	char why[LUA_WHY_MAX];
	struct lua_script *s = path ? lua_handlers_add(h, kind, path, why) : NULL;
	return s ? lua_script_ref(s) : NULL;
}

static void give_scripts(struct draft *d, struct lua_handlers *h)
{
	for (size_t i = 0; i < d->route_n; i++) {
		const struct draft_route *r = &d->route[i];
		r->route->handler = script_of(h, LUA_SCRIPT_HANDLER, r->handler);
		r->route->access = script_of(h, LUA_SCRIPT_ACCESS, r->access);
		r->route->log = script_of(h, LUA_SCRIPT_LOG, r->log_handler);
	}
}

static void give_tls(struct draft *d, struct lua_handlers *h)
{
	struct tls_client *common = lua_handlers_settings(h)->handlers.tls;
	for (size_t i = 0; i < d->route_n; i++) {
		const struct draft_route *r = &d->route[i];
		if (r->handler || r->access)
			r->route->settings.handler.tls = build_route_lua_tls(d, r, common);
	}
}

/* The folder of the file, for ngx.config.prefix(). */
static char *prefix_of(const struct draft *d)
{
	const char *name = d->doc.n > 0 ? d->doc.section[0]->file->name : "";
	const char *slash = strrchr(name, '/');
	return slash ? mem_format("%.*s", (int)(slash - name + 1), name) : mem_strdup("./");
}

/* A script of several routes is told of at the first. */
static void compile(struct draft *d, struct lua_handlers *h, const struct draft_route *r,
        enum lua_script_kind kind, const char *key, const char *path)
{
	char why[LUA_WHY_MAX];
	struct lua_script *s = path ? lua_handlers_add(h, kind, path, why) : NULL;
	const struct reader_section *section = r ? r->section : NULL;
	const struct reader_entry *e =
	        r ? reader_find(r->section, key) : find_own(d, key, &section);
	if (!s || s->is_refused || !e || lua_script_compiles(s, why))
		return;
	s->is_refused = true;
	draft_error(d, section, e, "%s", why);
}

static void compile_all(struct draft *d, struct lua_handlers *h)
{
	const struct lua_settings *own = lua_handlers_settings(h);
	compile(d, h, NULL, LUA_SCRIPT_INIT, "init", own->init);
	compile(d, h, NULL, LUA_SCRIPT_INIT_WORKER, "init_worker", own->init_worker);
	compile(d, h, NULL, LUA_SCRIPT_EXIT_WORKER, "exit_worker", own->exit_worker);
	for (size_t i = 0; i < d->route_n; i++) {
		const struct draft_route *r = &d->route[i];
		compile(d, h, r, LUA_SCRIPT_HANDLER, "handler", r->handler);
		compile(d, h, r, LUA_SCRIPT_ACCESS, "access", r->access);
		compile(d, h, r, LUA_SCRIPT_LOG, "log_handler", r->log_handler);
	}
}

/* Nothing runs unless all is well that was looked at before. */
static void check(struct draft *d, struct lua_handlers *h)
{
	char why[LUA_WHY_MAX];
	const struct reader_section *s;
	const struct reader_entry *init = find_own(d, "init", &s);
	compile_all(d, h);
	if (d->problems.errors > 0 || is_only_looking(d) || lua_handlers_check(h, why))
		return;
	int error = errno;
	if (init)
		draft_error(d, s, init, "%s", why);
	else
		problem_error(&d->problems, whole(d), "%s", why);
	problem_cause(&d->problems, error);
}

static struct lua_handlers *read_scripts(struct draft *d)
{
	struct config *c = d->config;
	c->lua.prefix = prefix_of(d);
	build_lua_tls(d, &c->lua);
	struct lua_handlers *h = lua_handlers_new(&c->lua);
	add_scripts(d, h);
	return h;
}

void build_lua(struct draft *d)
{
	struct config *c = d->config;
	struct lua_handlers *was = d->running ? d->running->handlers : NULL;
	if (d->is_memory || !has_scripts(d) || !is_root_allowed(d))
		return;
	struct lua_handlers *h = read_scripts(d);
	add_names(d, h);
	if (was && d->problems.errors == 0 && lua_handlers_equal(was, h) &&
	        !lua_handlers_is_stale(was)) {
		lua_handlers_unref(h);
		h = lua_handlers_ref(was);
	} else {
		check(d, h);
	}
	c->handlers = h;
	give_tls(d, h);
	if (d->problems.errors == 0)
		give_scripts(d, h);
}

void build_lua_look(struct draft *d)
{
	if (d->is_memory || !has_scripts(d) || !is_root_allowed(d))
		return;
	struct lua_handlers *h = read_scripts(d);
	compile_all(d, h);
	give_tls(d, h);
	lua_handlers_unref(h);
}
