/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_lua.h"

#include "base/mem.h"
#include "config/draft.h"
#include "lua/shared_dict.h"

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
	if (geteuid() != 0 || d->config->identity.user || d->config->lua.may_be_root)
		return true;
	problem_error(&d->problems, whole(d),
	        "scripts would run as root: want user = NAME in [moongate], or "
	        "allow_root_handlers = yes");
	return false;
}

/* ---- scripts ---- */

static struct lua_script *add(struct draft *d, struct lua_handlers *h, const struct draft_route *r,
        enum lua_script_kind kind, const char *key, const char *path)
{
	char why[LUA_WHY_MAX];
	struct lua_script *s = path ? lua_handlers_add(h, kind, path, why) : NULL;
	if (path && !s)
		draft_error(d, r->section, reader_find(r->section, key), "%s", why);
	return s;
}

/* Those of the process, each told of where its key stands. */
static void add_own(struct draft *d, struct lua_handlers *h, enum lua_script_kind kind,
        const char *key, const char *path)
{
	char why[LUA_WHY_MAX];
	if (!path || lua_handlers_add(h, kind, path, why))
		return;
	for (size_t i = 0; i < d->doc.n; i++) {
		const struct reader_section *s = d->doc.section[i];
		const struct reader_entry *e =
		        strcmp(s->kind, "moongate") == 0 ? reader_find(s, key) : NULL;
		if (e) {
			draft_error(d, s, e, "%s", why);
			return;
		}
	}
}

static void add_scripts(struct draft *d, struct lua_handlers *h)
{
	for (size_t i = 0; i < d->route_n; i++) {
		const struct draft_route *r = &d->route[i];
		add(d, h, r, LUA_SCRIPT_HANDLER, "handler", r->handler);
		add(d, h, r, LUA_SCRIPT_ACCESS, "access", r->access);
		add(d, h, r, LUA_SCRIPT_LOG, "log_handler", r->log_handler);
	}
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
	struct tls_client *common = lua_handlers_settings(h)->handlers.tls;
	for (size_t i = 0; i < d->route_n; i++) {
		const struct draft_route *r = &d->route[i];
		r->route->handler = script_of(h, LUA_SCRIPT_HANDLER, r->handler);
		r->route->access = script_of(h, LUA_SCRIPT_ACCESS, r->access);
		r->route->log = script_of(h, LUA_SCRIPT_LOG, r->log_handler);
		if (r->route->handler || r->route->access)
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

static void check(struct draft *d, struct lua_handlers *h)
{
	char why[LUA_WHY_MAX];
	if (!is_only_looking(d) && !lua_handlers_check(h, why))
		problem_error(&d->problems, whole(d), "%s", why);
}

void build_lua(struct draft *d)
{
	struct config *c = d->config;
	struct lua_handlers *was = d->running ? d->running->handlers : NULL;
	if (d->is_memory || !has_scripts(d) || !is_root_allowed(d))
		return;
	c->lua.prefix = prefix_of(d);
	build_lua_tls(d, &c->lua);
	struct lua_handlers *h = lua_handlers_new(&c->lua);
	add_scripts(d, h);
	const struct lua_settings *own = lua_handlers_settings(h);
	add_own(d, h, LUA_SCRIPT_INIT, "init", own->init);
	add_own(d, h, LUA_SCRIPT_INIT_WORKER, "init_worker", own->init_worker);
	add_own(d, h, LUA_SCRIPT_EXIT_WORKER, "exit_worker", own->exit_worker);
	if (was && d->problems.errors == 0 && lua_handlers_equal(was, h) &&
	        !lua_handlers_is_stale(was)) {
		lua_handlers_unref(h);
		h = lua_handlers_ref(was);
	} else if (d->problems.errors == 0) {
		check(d, h);
	}
	c->handlers = h;
	if (d->problems.errors == 0)
		give_scripts(d, h);
}
