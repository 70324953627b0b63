/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/mem.h"
#include "config/build.h"
#include "config/draft.h"
#include "config/schema.h"
#include "config/source.h"
#include "net/sys.h"

#include <stdarg.h>

/* The verdict on what was read, and everything but the configuration freed. */
static struct config *finish(struct draft *d, struct sources *files, const char *name,
        bool was_read, struct config_errors *errors)
{
	struct config *c = d->config;
	if (was_read) {
		draft_apply(d);
		build_run(d, name);
	}
	errors->n = d->problems.errors;
	errors->lacks = d->problems.lacks;
	errors->text = problems_text(&d->problems, &errors->line, &errors->line_n);
	draft_fini(d);
	sources_fini(files);
	if (errors->n == 0)
		return c;
	config_free(c);
	return NULL;
}

struct config *config_reload(
        const char *path, const struct config *running, struct config_errors *errors)
{
	struct draft d;
	struct sources files = {.n = 0};
	draft_init(&d);
	d.running = running;
	bool was_read = source_load(&files, &d, path);
	return finish(&d, &files, path, was_read, errors);
}

struct config *config_load(const char *path, struct config_errors *errors)
{
	return config_reload(path, NULL, errors);
}

struct config *config_reload_text(const char *name, const char *text, size_t len,
        const struct config *running, struct config_errors *errors)
{
	struct draft d;
	struct sources files = {.n = 0};
	draft_init(&d);
	d.running = running;
	source_load_text(&files, &d, name, text, len);
	return finish(&d, &files, name, true, errors);
}

struct config *config_load_text(
        const char *name, const char *text, size_t len, struct config_errors *errors)
{
	return config_reload_text(name, text, len, NULL, errors);
}

const char *config_place(const struct config *c, const char *key, const char *otherwise)
{
	const struct schema_key *k = schema_find(KIND_MOONGATE, key);
	const char *place = k && c->key ? c->key[k - schema_key].place : NULL;
	return place ? place : otherwise;
}

void config_errors_add(struct config_errors *e, int error, const char *format, ...)
{
	char line[1024];
	char *before = e->text;
	size_t at = before ? strlen(before) + 1 : 0;
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	e->text = mem_format("%s%s%s", before ? before : "", before ? "\n" : "", line);
	e->line = mem_resize(e->line, (e->line_n + 1) * sizeof e->line[0]);
	e->line[e->line_n++] = (struct problem_line){.at = at, .len = strlen(line)};
	e->n++;
	e->lacks += sys_is_lack(error);
	mem_free(before);
}

struct slice config_errors_line(const struct config_errors *e, size_t i)
{
	return slice_of(e->text + e->line[i].at, e->line[i].len);
}

void config_errors_free(struct config_errors *e)
{
	mem_free(e->text);
	mem_free(e->line);
	*e = (struct config_errors){.text = NULL};
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (int i = 0; i < PART_KINDS; i++)
		parts_fini(&c->parts[i], (enum part_kind)i);
	for (size_t i = 0; c->key && i < schema_key_n; i++) {
		mem_free(c->key[i].value);
		mem_free(c->key[i].place);
	}
	mem_free(c->key);
	for (size_t i = 0; i < c->listener_n; i++)
		proxy_listener_unref(c->listener[i]);
	for (size_t i = 0; i < c->bind_n; i++) {
		mem_free(c->bind[i].text);
		mem_free(c->bind[i].place);
	}
	mem_free(c->listener);
	mem_free(c->bind);
	for (size_t i = 0; i < c->group_n; i++)
		upstream_group_unref(c->group[i]);
	mem_free(c->group);
	route_table_unref(c->routes);
	lua_settings_fini(&c->lua);
	lua_tls_keys_fini(&c->lua_tls);
	lua_handlers_unref(c->handlers);
	mem_free(c->log);
	mem_free(c->tls_key_log);
	mem_free(c->access_log);
	mem_free(c->identity.user);
	mem_free(c->resolver.servers);
	mem_free(c);
}
