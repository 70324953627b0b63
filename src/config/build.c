/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build.h"

#include "base/mem.h"
#include "config/build_headers.h"
#include "config/build_identity.h"
#include "config/build_limits.h"
#include "config/build_lua.h"
#include "config/build_tls.h"
#include "config/build_upstream.h"
#include "config/carry.h"
#include "config/draft.h"
#include "config/loop.h"
#include "config/place.h"
#include "config/schema.h"
#include "net/passed.h"

#include <stdlib.h>

enum {
	LISTENERS_MAX = ROUTE_LISTENERS_MAX, /* bits of route->listeners */
	BINDS_MAX = 256,
};

static bool is_same_place(const struct draft_bind *a, const struct draft_bind *b)
{
	const char *x = draft_passed(a), *y = draft_passed(b);
	if (x || y)
		return x && y && strcmp(x, y) == 0;
	return place_overlaps(&a->address, &b->address);
}

static struct draft_bind *same_address(
        struct draft *d, const struct draft_bind *b, const struct reader_section **section)
{
	for (size_t i = 0; i < d->listener_n; i++) {
		struct draft_listener *l = &d->listener[i];
		for (size_t k = 0; k < l->bind_n; k++) {
			if (&l->bind[k] == b)
				return NULL;
			if (is_same_place(&l->bind[k], b)) {
				*section = l->section;
				return &l->bind[k];
			}
		}
	}
	return NULL;
}

static void check_bind(struct draft *d, const struct draft_listener *l, const struct draft_bind *b)
{
	const struct reader_section *section;
	const struct draft_bind *first = same_address(d, b, &section);
	char title[DRAFT_TITLE_MAX];
	if (first)
		draft_error(d, l->section, b->entry, "taken by %s bind = %s, at %s:%u",
		        draft_title(section, title), first->text, section->file->name,
		        first->entry->line);
}

/* Keys that would do nothing are mistakes. */
static void check_unix_keys(struct draft *d, const struct draft_listener *l)
{
	static const char *const keys[] = {"mode", "owner", "group"};
	if (draft_is_refused(l->section, "bind"))
		return;
	for (size_t i = 0; i < l->bind_n; i++)
		if (l->bind[i].address.sa.sa_family == AF_UNIX)
			return;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct reader_entry *e = reader_find(l->section, keys[i]);
		if (e && l->bind_n > 0)
			draft_error(d, l->section, e,
			        "only a unix socket has one: want a bind = unix:PATH");
	}
}

/* Whom to expect headers from cannot be guessed. */
static void check_proxy_protocol(struct draft *d, const struct draft_listener *l)
{
	const struct reader_entry *on = reader_find(l->section, "proxy_protocol");
	const struct reader_entry *from = reader_find(l->section, "proxy_protocol_from");
	if (l->proxy_protocol && !from && draft_is_whole(l->section))
		draft_error(d, l->section, on,
		        "from nobody: want proxy_protocol_from = ADDRESS[/BITS] too");
	if (from && !on && draft_is_whole(l->section))
		draft_error(d, l->section, from, "does nothing: want proxy_protocol = on too");
}

static bool check_listeners(struct draft *d)
{
	size_t binds = 0;
	for (size_t i = 0; i < d->listener_n; i++)
		binds += d->listener[i].bind_n;
	if (d->listener_n > LISTENERS_MAX)
		draft_section_error(d, d->listener[LISTENERS_MAX].section,
		        "%zu listeners: want at most %d, each with any number of binds",
		        d->listener_n, LISTENERS_MAX);
	if (binds > BINDS_MAX)
		draft_section_error(d, d->listener[d->listener_n - 1].section,
		        "%zu binds up to here: want at most %d", binds, BINDS_MAX);
	if (d->listener_n > LISTENERS_MAX || binds > BINDS_MAX)
		return false;
	for (size_t i = 0; i < d->listener_n; i++) {
		check_unix_keys(d, &d->listener[i]);
		check_proxy_protocol(d, &d->listener[i]);
		for (size_t k = 0; k < d->listener[i].bind_n; k++)
			check_bind(d, &d->listener[i], &d->listener[i].bind[k]);
	}
	return true;
}

static char *place_text(const struct reader_section *section, const struct reader_entry *entry)
{
	return mem_format("%s:%u", section->file->name, entry->line);
}

/* Several sockets may have been passed by one name; the one that is missing when there is
 * none is told when it is to be opened. */
static unsigned sockets_of(const struct draft_bind *b)
{
	unsigned n = draft_passed(b) ? passed_count(draft_passed(b)) : 1;
	return n > 0 ? n : 1;
}

static void build_bind(struct config_bind *b, const struct draft_listener *l,
        const struct draft_bind *draft, unsigned number)
{
	b->settings = l->settings;
	b->settings.address = draft->address;
	b->text = mem_strdup(draft->text);
	b->place = place_text(l->section, draft->entry);
	if (draft_passed(draft)) {
		b->settings.passed = b->text + (draft_passed(draft) - draft->text);
		b->settings.passed_number = number;
	}
}

static void build_binds(
        struct config *c, const struct draft_listener *l, struct proxy_listener *built)
{
	for (size_t i = 0; i < l->bind_n; i++) {
		for (unsigned k = 0; k < sockets_of(&l->bind[i]); k++) {
			struct config_bind *b = &c->bind[c->bind_n++];
			build_bind(b, l, &l->bind[i], k);
			b->listener = built;
		}
	}
}

static bool is_bound(const struct draft *d, const char *passed)
{
	for (size_t i = 0; i < d->config->bind_n; i++) {
		const char *name = d->config->bind[i].settings.passed;
		if (name && strcmp(name, passed) == 0)
			return true;
	}
	return false;
}

/* Clients that connect to it would wait for ever. */
static void check_passed(struct draft *d, const char *file)
{
	struct problem_place whole = {file, 0, 0};
	for (unsigned i = 0; i < passed_n(); i++)
		if (!is_bound(d, passed_name(i)))
			problem_error(&d->problems, whole,
			        "descriptor %d was passed by the name of %s, which no listener "
			        "takes: want bind = fd:%s",
			        passed_fd(i), passed_name(i), passed_name(i));
}

static struct proxy_listener *build_listener(struct draft *d, struct draft_listener *l)
{
	struct proxy_listener *built = proxy_listener_new(l->section->name);
	built->number = l->number;
	built->handshake_timeout_ms = l->handshake_timeout_ms;
	built->keepalive_timeout_ms = l->keepalive_timeout_ms;
	built->trusted = l->trusted;
	built->trusted_header = l->trusted_header;
	built->proxy_protocol = l->proxy_protocol;
	built->proxy_protocol_from = l->proxy_protocol_from;
	l->trusted = (struct cidr_list){NULL, 0};
	l->proxy_protocol_from = (struct cidr_list){NULL, 0};
	build_listener_limits(d, l, built);
	build_listener_tls(d, l, built);
	return built;
}

static void build_listeners(struct draft *d)
{
	struct config *c = d->config;
	size_t binds = 0;
	for (size_t i = 0; i < d->listener_n; i++)
		for (size_t k = 0; k < d->listener[i].bind_n; k++)
			binds += sockets_of(&d->listener[i].bind[k]);
	c->listener = mem_new(d->listener_n * sizeof(struct proxy_listener *));
	c->bind = mem_new(binds * sizeof c->bind[0]);
	for (size_t i = 0; i < d->listener_n; i++) {
		struct draft_listener *l = &d->listener[i];
		c->listener[i] = build_listener(d, l);
		c->listener_n++;
		build_binds(c, l, c->listener[i]);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct draft_upstream *x = a, *y = b;
	return strcmp(x->section->name, y->section->name);
}

static int name_of(const void *name, const void *upstream)
{
	return strcmp(name, ((const struct draft_upstream *)upstream)->section->name);
}

struct draft_upstream *build_find_upstream(struct draft *d, const char *name)
{
	return bsearch(name, d->upstream, d->upstream_n, sizeof d->upstream[0], name_of);
}

static void build_upstreams(struct draft *d)
{
	qsort(d->upstream, d->upstream_n, sizeof d->upstream[0], by_name);
	for (size_t i = 0; i < d->upstream_n; i++)
		build_upstream(d, &d->upstream[i]);
}

/* A reference that leads nowhere; not told when the section may be one whose
 * header was refused. */
static void refuse_reference(
        struct draft *d, const struct reader_section *s, const struct reader_entry *e)
{
	char name[PROBLEM_QUOTE_MAX];
	if (!d->doc.has_refused_section)
		draft_error(d, s, e, "want the name of a section: there is no [%s %s]", e->key,
		        problem_quote(e->value, name));
}

static int find_listener(const struct draft *d, const char *name)
{
	for (size_t i = 0; i < d->listener_n; i++)
		if (strcmp(d->listener[i].section->name, name) == 0)
			return (int)d->listener[i].number;
	return -1;
}

static uint64_t listeners_of(struct draft *d, const struct draft_route *r)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < r->listener.n; i++) {
		const struct reader_entry *e = r->listener.entry[i];
		int number = find_listener(d, e->value);
		if (number < 0)
			refuse_reference(d, r->section, e);
		else if (bits >> number & 1)
			draft_error(d, r->section, e, "given before in this section");
		else
			bits |= UINT64_C(1) << number;
	}
	return bits;
}

static bool is_given(const struct draft_route *r, const char *key)
{
	const struct reader_entry *e = reader_find(r->section, key);
	return e && strcmp(e->value, "off") != 0;
}

static void check_action(struct draft *d, const struct draft_route *r)
{
	int n = is_given(r, "upstream") + is_given(r, "respond") + is_given(r, "echo") +
	        is_given(r, "handler");
	if (n > 1 || (n == 0 && draft_is_whole(r->section)))
		draft_section_error(d, r->section,
		        "%s: want exactly one of upstream = NAME, handler = PATH, "
		        "respond = STATUS and echo = on",
		        n == 0 ? "nothing to do" : "several things to do");
}

static void resolve_upstream(struct draft *d, const struct draft_route *r)
{
	struct draft_upstream *u = build_find_upstream(d, r->upstream->value);
	if (u) {
		u->is_used = true;
		r->route->group = upstream_group_ref(u->group);
	} else {
		refuse_reference(d, r->section, r->upstream);
	}
}

static bool asks_for_certificates(const struct draft_listener *l)
{
	return l->tls.verify != TLS_VERIFY_OFF || draft_is_refused(l->section, "tls_verify_client");
}

/* It may be for a time, while clients are not asked. */
static void check_tls_client(struct draft *d, const struct draft_route *r)
{
	const struct reader_entry *e = reader_find(r->section, "tls_client");
	uint64_t wanted = r->route->listeners;
	char title[DRAFT_TITLE_MAX], value[PROBLEM_QUOTE_MAX];
	if (!e || (r->listener.n > 0 && wanted == 0))
		return;
	for (size_t i = 0; i < d->listener_n; i++)
		if ((wanted == 0 || wanted >> d->listener[i].number & 1) &&
		        asks_for_certificates(&d->listener[i]))
			return;
	problem_warning(&d->problems, reader_place(r->section->file, e->line),
	        "%s tls_client = %s: no listener of this route asks its clients for certificates: "
	        "want tls_verify_client = optional or on there",
	        draft_title(r->section, title), problem_quote(e->value, value));
}

static void build_route(struct draft *d, struct draft_route *r)
{
	struct route *built = r->route;
	built->path = mem_strdup(r->path.text ? r->path.text : "");
	built->prefix = r->path.prefix || !r->path.text;
	built->listeners = listeners_of(d, r);
	route_settings_copy(&built->settings, &r->settings);
	build_route_limits(d, r);
	built->action = r->echo       ? ROUTE_ECHO
	                : r->upstream ? ROUTE_UPSTREAM
	                : r->handler  ? ROUTE_HANDLER
	                              : ROUTE_RESPOND;
	built->respond_status = r->respond.status;
	built->respond_location = r->respond.location;
	r->respond.location = NULL;
	if (r->upstream)
		resolve_upstream(d, r);
	check_action(d, r);
	check_tls_client(d, r);
	build_headers(d, r);
}

static struct draft_route *draft_of(struct draft *d, const struct route *r)
{
	size_t i = 0;
	while (d->route[i].route != r)
		i++;
	return &d->route[i];
}

/* Once for a route, whatever the number of its hosts. */
static void refuse_clash(const struct route *first, const struct route *second, void *arg)
{
	struct draft *d = arg;
	struct draft_route *x = draft_of(d, first), *y = draft_of(d, second);
	const struct draft_route *early = x < y ? x : y;
	struct draft_route *late = x < y ? y : x;
	const char *end = late->route->condition_n > 0
	                          ? ", and no condition excludes that both hold: want different "
	                            "values of one header or argument"
	                          : "";
	const struct reader_entry *e = reader_find(late->section, "path");
	const struct reader_section *s = early->section;
	char title[DRAFT_TITLE_MAX];
	if (late->is_clash_told)
		return;
	late->is_clash_told = true;
	draft_title(s, title);
	e = e ? e : reader_find(late->section, "host");
	if (e)
		draft_error(d, late->section, e,
		        "%s at %s:%u has the same host, path and listener%s", title, s->file->name,
		        s->line, end);
	else
		draft_section_error(d, late->section,
		        "%s at %s:%u has the same host, path and listener%s", title, s->file->name,
		        s->line, end);
}

static void build_routes(struct draft *d)
{
	for (size_t i = 0; i < d->route_n; i++)
		build_route(d, &d->route[i]);
	build_lua_groups(d);
	if (d->problems.errors == 0)
		carry_parts(d);
	else
		build_lua_look(d);
	struct route **routes = mem_new(d->route_n * sizeof(struct route *));
	for (size_t i = 0; i < d->route_n; i++)
		routes[i] = d->route[i].route;
	d->config->routes = route_table_new(routes, d->route_n);
	d->config->route_n = d->route_n;
	mem_free(routes);
	for (size_t i = 0; i < d->config->listener_n; i++)
		route_table_name_listener(d->config->routes, d->config->listener[i]->number,
		        d->config->listener[i]->name);
	/* What was refused may be what would tell two routes apart. */
	if (d->problems.errors == 0)
		route_table_clashes(d->config->routes, refuse_clash, d);
}

static void check_missing(struct draft *d, const char *name)
{
	struct problem_place whole = {name, 0, 0};
	if (d->listener_n == 0)
		problem_error(&d->problems, whole,
		        "no listener: want [listener NAME] with bind = ADDRESS:PORT");
	if (d->route_n == 0)
		problem_error(&d->problems, whole,
		        "no route: want [route NAME] with upstream = NAME, handler = PATH, "
		        "respond = STATUS or echo = on");
}

static void keep_groups(struct draft *d)
{
	struct config *c = d->config;
	c->group = mem_new(d->upstream_n * sizeof(struct upstream_group *));
	for (size_t i = 0; i < d->upstream_n; i++)
		if (d->upstream[i].is_used)
			c->group[c->group_n++] = upstream_group_ref(d->upstream[i].group);
}

static void warn_unused(struct draft *d)
{
	for (size_t i = 0; i < d->upstream_n; i++) {
		const struct reader_section *s = d->upstream[i].section;
		char title[DRAFT_TITLE_MAX];
		if (!d->upstream[i].is_used)
			problem_warning(&d->problems, reader_place(s->file, s->line),
			        "%s: no route leads to it", draft_title(s, title));
	}
}

static void warn_led(struct draft *d, const struct schema_key *lead)
{
	for (size_t i = 0; i < schema_key_n; i++) {
		const struct schema_key *k = &schema_key[i];
		const struct reader_section *s;
		const struct reader_entry *e =
		        schema_is_led(lead, k) ? draft_process_entry(d, k->name, &s) : NULL;
		char value[PROBLEM_QUOTE_MAX];
		if (e)
			problem_warning(&d->problems, reader_place(s->file, e->line),
			        "[moongate] %s = %s: does nothing: want %s too", k->name,
			        problem_quote(e->value, value), lead->name);
	}
}

/* Where access_log = off, say, stands in so many words, it may be for a time. */
static void warn_without_lead(struct draft *d)
{
	for (size_t i = 0; i < schema_key_n; i++) {
		const struct schema_key *k = &schema_key[i];
		const struct reader_section *s;
		if (k->kind == KIND_MOONGATE && k->flags & KEY_LEADS &&
		        !draft_process_entry(d, k->name, &s))
			warn_led(d, k);
	}
}

void build_run(struct draft *d, const char *name)
{
	if (!d->doc.has_refused_section)
		check_missing(d, name);
	if (!check_listeners(d))
		return;
	carry_look(d);
	carry_number_listeners(d);
	build_identity(d);
	build_key_log(d);
	carry_process(d, name);
	d->config->access.is_on = d->config->access_log != NULL;
	build_listeners(d);
	if (!d->is_memory && d->problems.errors == 0)
		check_passed(d, name);
	build_upstreams(d);
	build_routes(d);
	if (d->problems.errors == 0) {
		loop_check(d);
		warn_unused(d);
		warn_without_lead(d);
		keep_groups(d);
	}
}
