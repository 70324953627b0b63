/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/carry.h"

#include "base/mem.h"
#include "config/build.h"
#include "config/build_lua.h"
#include "config/draft.h"
#include "config/schema.h"

#include <string.h>

/* ---- what the parts are ---- */

void carry_look(struct draft *d)
{
	struct part_lines defaults = part_defaults(d);

	for (size_t i = 0; i < d->listener_n; i++)
		part_digest(&d->listener[i].part, d, PART_LISTENER, d->listener[i].section, NULL);
	for (size_t i = 0; i < d->upstream_n; i++)
		part_digest(&d->upstream[i].part, d, PART_UPSTREAM, d->upstream[i].section, NULL);
	for (size_t i = 0; i < d->route_n; i++)
		part_digest(&d->route[i].part, d, PART_ROUTE, d->route[i].section, &defaults);
	part_lines_fini(&defaults);
}

/* ---- listeners' numbers ---- */

static const struct part *running_part(const struct draft *d, enum part_kind kind, const char *name)
{
	return d->running ? parts_find(&d->running->parts[kind], name) : NULL;
}

static unsigned take_free(uint64_t *taken)
{
	unsigned n = (unsigned)__builtin_ctzll(~*taken);

	*taken |= UINT64_C(1) << n;
	return n;
}

/* A name that is given twice, an error, has one number. */
void carry_number_listeners(struct draft *d)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < d->listener_n; i++) {
		const struct part *was =
		        running_part(d, PART_LISTENER, d->listener[i].section->name);
		d->listener[i].has_number = was != NULL;
		if (was) {
			d->listener[i].number = ((struct proxy_listener *)was->at)->number;
			taken |= UINT64_C(1) << d->listener[i].number;
		}
	}
	for (size_t i = 0; i < d->listener_n; i++)
		if (!d->listener[i].has_number)
			d->listener[i].number = take_free(&taken);
}

/* ---- the parts ---- */

/* The running part of the same settings, or NULL. */
static void *same(const struct draft *d, enum part_kind kind, const struct part *p)
{
	const struct part *was = running_part(d, kind, p->name);

	return was && part_is_same(was, p) ? was->at : NULL;
}

bool carry_is_news(const struct draft *d, enum part_kind kind, const struct part *p)
{
	return d->running && !same(d, kind, p);
}

static void carry_listeners(struct draft *d)
{
	struct config *c = d->config;

	parts_init(&c->parts[PART_LISTENER], c->listener_n);
	for (size_t i = 0; i < c->listener_n; i++) {
		struct proxy_listener *built = c->listener[i];
		struct proxy_listener *was = same(d, PART_LISTENER, &d->listener[i].part);
		if (was) {
			for (size_t k = 0; k < c->bind_n; k++)
				if (c->bind[k].listener == built)
					c->bind[k].listener = was;
			c->listener[i] = proxy_listener_ref(was);
			proxy_listener_unref(built);
		}
		parts_add(&c->parts[PART_LISTENER], PART_LISTENER, &d->listener[i].part,
		        c->listener[i]);
	}
}

static void carry_group(struct draft *d, struct draft_upstream *u)
{
	const struct part *before = running_part(d, PART_UPSTREAM, u->part.name);
	struct upstream_group *was = same(d, PART_UPSTREAM, &u->part);

	if (was) {
		upstream_group_unref(u->group);
		u->group = upstream_group_ref(was);
	} else if (before) {
		upstream_group_inherit(u->group, before->at);
	}
	parts_add(&d->config->parts[PART_UPSTREAM], PART_UPSTREAM, &u->part, u->group);
}

/* One that no route leads to is forgotten, as if it were not there. */
static void carry_groups(struct draft *d)
{
	parts_init(&d->config->parts[PART_UPSTREAM], d->upstream_n);
	for (size_t i = 0; i < d->upstream_n; i++)
		if (d->upstream[i].is_used)
			carry_group(d, &d->upstream[i]);
}

/* A script belongs to its set, and that to the configuration as a whole. */
static bool has_same_scripts(const struct route *a, const struct route *b)
{
	return a->handler == b->handler && a->access == b->access && a->log == b->log;
}

static void carry_route(struct draft *d, struct draft_route *r)
{
	struct draft_upstream *u = r->upstream ? build_find_upstream(d, r->upstream->value) : NULL;
	struct route *was = same(d, PART_ROUTE, &r->part);

	if (u && r->route->group != u->group) {
		upstream_group_unref(r->route->group);
		r->route->group = upstream_group_ref(u->group);
	}
	if (was && was->group == r->route->group && was->listeners == r->route->listeners &&
	        has_same_scripts(was, r->route)) {
		route_unref(r->route);
		r->route = route_ref(was);
	}
	parts_add(&d->config->parts[PART_ROUTE], PART_ROUTE, &r->part, r->route);
}

void carry_parts(struct draft *d)
{
	carry_listeners(d);
	carry_groups(d);
	build_lua(d);
	parts_init(&d->config->parts[PART_ROUTE], d->route_n);
	for (size_t i = 0; i < d->route_n; i++)
		carry_route(d, &d->route[i]);
	for (int i = 0; i < PART_KINDS; i++)
		parts_sort(&d->config->parts[i]);
}

/* ---- [moongate] ---- */

static const char *shown(const char *value, const struct schema_key *k)
{
	return value ? value : k->initial ? k->initial : "not given";
}

/* The start's value stays, also as what the next reload is compared with. */
static void keep(struct draft *d, const struct schema_key *k, struct config_key *now,
        const struct config_key *was, struct problem_place place)
{
	char before[PROBLEM_QUOTE_MAX], after[PROBLEM_QUOTE_MAX];

	if (strcmp(shown(now->value, k), shown(was->value, k)) == 0)
		return;
	problem_warning(&d->problems, place,
	        "[moongate] %s: needs a restart to become %s; it stays %s", k->name,
	        problem_quote(shown(now->value, k), after),
	        problem_quote(shown(was->value, k), before));
	mem_free(now->value);
	now->value = was->value ? mem_strdup(was->value) : NULL;
}

/* The rows without KEY_RELOAD. */
static void keep_settings(struct config *c, const struct config *running)
{
	c->workers = running->workers;
	c->core_dumps = running->core_dumps;
	c->allow_root_handlers = running->allow_root_handlers;
	mem_free(c->identity.user);
	c->identity = running->identity;
	if (c->identity.user)
		c->identity.user = mem_strdup(c->identity.user);
}

void carry_process(struct draft *d, const char *name)
{
	struct config *c = d->config;

	c->key = mem_new(schema_key_n * sizeof c->key[0]);
	for (size_t i = 0; i < schema_key_n; i++) {
		const struct schema_key *k = &schema_key[i];
		const struct reader_section *s = NULL;
		const struct reader_entry *e =
		        k->kind == KIND_MOONGATE ? draft_process_entry(d, k->name, &s) : NULL;
		struct problem_place place = {name, 0, 0};
		if (e) {
			place = reader_place(s->file, e->line);
			c->key[i].value = mem_strdup(e->value);
			c->key[i].place = mem_format("%s:%u", s->file->name, e->line);
		}
		if (d->running && k->kind == KIND_MOONGATE && !(k->flags & KEY_RELOAD))
			keep(d, k, &c->key[i], &d->running->key[i], place);
	}
	if (d->running)
		keep_settings(c, d->running);
}
