/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/mem.h"
#include "config/build.h"
#include "config/draft.h"
#include "config/source.h"
#include "net/tls_server.h"

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
	errors->text = problems_text(&d->problems);
	draft_fini(d);
	sources_fini(files);
	if (errors->n == 0)
		return c;
	config_free(c);
	return NULL;
}

struct config *config_load(const char *path, struct config_errors *errors)
{
	struct draft d;
	struct sources files = {.n = 0};
	draft_init(&d);
	bool was_read = source_load(&files, &d, path);
	return finish(&d, &files, path, was_read, errors);
}

struct config *config_load_text(
        const char *name, const char *text, size_t len, struct config_errors *errors)
{
	struct draft d;
	struct sources files = {.n = 0};
	draft_init(&d);
	source_load_text(&files, &d, name, text, len);
	return finish(&d, &files, name, true, errors);
}

void config_errors_free(struct config_errors *e)
{
	mem_free(e->text);
	*e = (struct config_errors){.text = NULL};
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->listener_n; i++) {
		mem_free((char *)c->listener[i].name);
		cidr_list_fini(&c->listener[i].trusted);
		cidr_list_fini(&c->listener[i].proxy_protocol_from);
		limit_exempt_unref(c->listener[i].limits.exempt);
		limit_scope_unref(c->listener[i].scope);
		tls_server_unref(c->listener[i].tls);
	}
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
	mem_free(c->log);
	mem_free(c->tls_key_log);
	mem_free(c->access_log);
	mem_free(c->identity.user);
	mem_free(c->resolver.servers);
	mem_free(c);
}
