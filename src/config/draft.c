/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/draft.h"

#include "base/mem.h"
#include "config/schema.h"

#include <assert.h>
#include <stdlib.h>

/* Which keys a section has given already. */
struct seen {
	struct {
		const struct reader_section *section;
		const struct reader_entry *entry;
	} key[SCHEMA_KEYS_MAX];
};

const char *draft_title(const struct reader_section *s, char out[DRAFT_TITLE_MAX])
{
	snprintf(out, DRAFT_TITLE_MAX, "[%s%s%s]", s->kind, s->name[0] ? " " : "", s->name);
	return out;
}

void draft_error(struct draft *d, const struct reader_section *s, const struct reader_entry *e,
        const char *format, ...)
{
	char why[600], title[DRAFT_TITLE_MAX], key[PROBLEM_QUOTE_MAX], value[PROBLEM_QUOTE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	problem_error(&d->problems, reader_place(s->file, e->line), "%s %s = %s: %s",
	        draft_title(s, title), problem_quote(e->key, key), problem_quote(e->value, value),
	        why);
}

void draft_section_error(struct draft *d, const struct reader_section *s, const char *format, ...)
{
	char why[600], title[DRAFT_TITLE_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	problem_error(
	        &d->problems, reader_place(s->file, s->line), "%s: %s", draft_title(s, title), why);
}

/* Habits of other programs: a hash and quotes are the value's own. */
static const char *hint_at(const char *value)
{
	size_t len = strlen(value);
	if (strstr(value, " #") || strstr(value, "\t#"))
		return "; a comment behind a value begins with ' ;', not with '#'";
	if (len > 1 && strchr("\"'", value[0]) && value[len - 1] == value[0])
		return "; values stand without quotes";
	return "";
}

static enum schema_kind kind_of_section(const struct reader_section *s)
{
	return (enum schema_kind)(schema_find_section(s->kind) - schema_section);
}

/* Whether one value consists of words, such as NAME VALUE. */
static bool has_words(const struct schema_key *k)
{
	const char *blank = k->form ? strchr(k->form, ' ') : NULL;
	while (blank && strncmp(blank, " | ", 3) == 0)
		blank = strchr(blank + 3, ' ');
	return blank != NULL;
}

const char *draft_list_hint(const struct reader_section *s, const struct reader_entry *e)
{
	const struct schema_key *k = schema_find(kind_of_section(s), e->key);
	bool is_path = k->flags & KEY_FILE || k->parse == parse_include;
	bool has_commas = strchr(e->value, ',') != NULL;
	bool has_blanks = !is_path && strpbrk(e->value, " \t");
	if (has_commas && k->flags & KEY_WORDS)
		return "; a list has blanks between its words, no commas";
	if ((has_commas || has_blanks) && k->flags & KEY_REPEAT && !has_words(k))
		return "; the key may be given again for more";
	return "";
}

static bool is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(text, *words) != 0)
		words++;
	return *words != NULL;
}

/* The bounds do not tell what is wrong with 16MB, 1.5s or 10 s, which may well be within them. */
static const char *unit_hint(const struct schema_key *k, const char *value)
{
	static const char *const sizes[] = {"", "k", "m", "g", "K", "M", "G", NULL};
	static const char *const times[] = {"", "ms", "s", "m", "h", NULL};
	const char *unit = value + strspn(value, "0123456789");
	bool is_number = unit > value;
	if (is_number && (k->parse == parse_size || k->parse == parse_memory) &&
	        !is_one_of(unit, sizes))
		return "; a size is a whole number with k, m or g, such as 16m";
	if (is_number && k->parse == parse_time && !is_one_of(unit, times))
		return "; a time is a whole number with ms, s, m or h, such as 10s";
	return "";
}

static void refuse_value(struct draft *d, const struct reader_section *s, const struct parse *p)
{
	char form[SCHEMA_FORM_MAX];
	const char *hint = hint_at(p->value);
	if (!*hint)
		hint = draft_list_hint(s, p->entry);
	if (!*hint)
		hint = unit_hint(p->key, p->value);
	if (p->why[0])
		draft_error(d, s, p->entry, "%s%s", p->why, hint);
	else
		draft_error(d, s, p->entry, "want %s%s", schema_form(p->key, form), hint);
	problem_cause(&d->problems, p->error);
}

static void refuse_key(struct draft *d, const struct reader_section *s,
        const struct reader_entry *e, enum schema_kind kind)
{
	const struct schema_section *elsewhere = schema_elsewhere(kind, e->key);
	const char *meant = schema_suggest_key(kind, e->key);
	if (elsewhere)
		draft_error(d, s, e, "unknown key: it belongs in [%s%s]", elsewhere->name,
		        elsewhere->is_named ? " NAME" : "");
	else if (meant)
		draft_error(d, s, e, "unknown key: did you mean '%s'?", meant);
	else
		draft_error(d, s, e, "unknown key");
}

static bool is_repeated(struct draft *d, const struct reader_section *s,
        const struct reader_entry *e, const struct schema_key *k, struct seen *seen)
{
	size_t row = (size_t)(k - schema_key);
	const struct reader_entry *first = seen->key[row].entry;
	if (first && !(k->flags & KEY_REPEAT)) {
		draft_error(d, s, e, "given before, at %s:%u", seen->key[row].section->file->name,
		        first->line);
		return true;
	}
	seen->key[row].entry = e;
	seen->key[row].section = s;
	return false;
}

/* The structure that a row's offset is counted from. */
static char *base_of(const struct schema_key *k, void *draft, struct route_settings *settings)
{
	return k->flags & KEY_DEFAULTS ? (char *)settings : draft;
}

static void apply_initial(enum schema_kind kind, void *draft, struct route_settings *settings)
{
	for (size_t i = 0; i < schema_key_n; i++) {
		const struct schema_key *k = &schema_key[i];
		if (!schema_allows(kind, k) || !k->initial)
			continue;
		/* A route begins with [defaults], not with the table's defaults. */
		if (kind == KIND_ROUTE && k->flags & KEY_DEFAULTS)
			continue;
		struct parse p = {.key = k, .value = k->initial, .first = true};
		bool ok = k->parse(&p, base_of(k, draft, settings) + k->offset);
		assert(ok);
	}
}

static void apply_entries(struct draft *d, const struct reader_section *s, enum schema_kind kind,
        void *draft, struct route_settings *settings, struct seen *seen)
{
	for (size_t i = 0; i < s->entry_n; i++) {
		struct reader_entry *e = &s->entry[i];
		const struct schema_key *k = schema_find(kind, e->key);
		if (!k) {
			refuse_key(d, s, e, kind);
			continue;
		}
		struct parse p = {.key = k,
		        .file = s->file,
		        .entry = e,
		        .value = e->value,
		        .first = !seen->key[k - schema_key].entry};
		if (is_repeated(d, s, e, k, seen))
			continue;
		e->is_refused = !k->parse(&p, base_of(k, draft, settings) + k->offset);
		if (e->is_refused)
			refuse_value(d, s, &p);
	}
}

const struct reader_entry *draft_process_entry(
        const struct draft *d, const char *key, const struct reader_section **section)
{
	for (size_t i = 0; i < d->doc.n; i++) {
		const struct reader_section *s = d->doc.section[i];
		const struct reader_entry *e =
		        strcmp(s->kind, schema_section[KIND_MOONGATE].name) == 0
		                ? reader_find(s, key)
		                : NULL;
		if (e) {
			*section = s;
			return e;
		}
	}
	return NULL;
}

bool draft_is_whole(const struct reader_section *s)
{
	enum schema_kind kind = kind_of_section(s);
	for (size_t i = 0; i < s->entry_n; i++)
		if (!schema_find(kind, s->entry[i].key))
			return false;
	return !s->has_refused_line;
}

bool draft_is_refused(const struct reader_section *s, const char *key)
{
	for (size_t i = 0; i < s->entry_n; i++)
		if (s->entry[i].is_refused && strcmp(s->entry[i].key, key) == 0)
			return true;
	return false;
}

static void check_required(struct draft *d, const struct reader_section *s, enum schema_kind kind,
        const struct seen *seen)
{
	for (size_t i = 0; i < schema_key_n; i++) {
		const struct schema_key *k = &schema_key[i];
		if (k->kind != kind || !(k->flags & KEY_REQUIRED) || seen->key[i].entry ||
		        !draft_is_whole(s))
			continue;
		char form[SCHEMA_FORM_MAX];
		draft_section_error(d, s, "%s is missing: want %s = %s", k->name, k->name,
		        schema_form(k, form));
	}
}

/* A named section: a draft of its own, with its defaults and then its keys. */
static void apply_named(struct draft *d, const struct reader_section *s, enum schema_kind kind,
        void *draft, struct route_settings *settings)
{
	struct seen seen = {.key = {{NULL, NULL}}};
	apply_initial(kind, draft, settings);
	apply_entries(d, s, kind, draft, settings, &seen);
	check_required(d, s, kind, &seen);
}

static void apply_listener(struct draft *d, const struct reader_section *s)
{
	struct draft_listener *l = &d->listener[d->listener_n++];
	l->section = s;
	l->settings.owner = (uid_t)-1;
	l->settings.group = (gid_t)-1;
	apply_named(d, s, KIND_LISTENER, l, NULL);
}

static void apply_upstream(struct draft *d, const struct reader_section *s)
{
	struct draft_upstream *u = &d->upstream[d->upstream_n++];
	u->section = s;
	apply_named(d, s, KIND_UPSTREAM, u, NULL);
}

static void apply_shared_dict(struct draft *d, const struct reader_section *s)
{
	struct draft_shared_dict *sd = &d->shared_dict[d->shared_dict_n++];
	sd->section = s;
	apply_named(d, s, KIND_SHARED_DICT, sd, NULL);
}

static void apply_route(struct draft *d, const struct reader_section *s)
{
	struct draft_route *r = &d->route[d->route_n++];
	r->section = s;
	r->route = route_new(s->name);
	route_settings_copy(&r->settings, &d->defaults);
	apply_named(d, s, KIND_ROUTE, r, &r->settings);
}

/* The section's kind when its header is right; KIND_N, and told, when not. */
static enum schema_kind kind_of(struct draft *d, const struct reader_section *s)
{
	const struct schema_section *found = schema_find_section(s->kind);
	const char *meant = found ? NULL : schema_suggest_section(s->kind);
	if (found && found->is_named && s->name[0] == '\0')
		draft_section_error(d, s, "want a name: [%s NAME]", found->name);
	else if (found && !found->is_named && s->name[0] != '\0')
		draft_section_error(d, s, "want no name: [%s]", found->name);
	else if (found)
		return (enum schema_kind)(found - schema_section);
	else if (meant)
		draft_section_error(d, s, "unknown section: did you mean [%s]?", meant);
	else
		draft_section_error(d, s, "unknown section");
	return KIND_N;
}

static int compare_names(const struct reader_section *a, const struct reader_section *b)
{
	int c = strcmp(a->kind, b->kind);
	return c ? c : strcmp(a->name, b->name);
}

static int by_name(const void *a, const void *b)
{
	const struct reader_section *x = *(const struct reader_section *const *)a;
	const struct reader_section *y = *(const struct reader_section *const *)b;
	int c = compare_names(x, y);
	if (c)
		return c;
	if (x->file->number != y->file->number)
		return x->file->number < y->file->number ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* [kind name] once in all files; [kind] once in each, with its keys once in all. */
static bool may_stand_beside(const struct reader_section *a, const struct reader_section *b)
{
	return compare_names(a, b) != 0 || (a->name[0] == '\0' && a->file != b->file);
}

static void check_repeated_sections(struct draft *d)
{
	size_t n = d->doc.n;
	const struct reader_section **sorted = mem_new((n + 1) * sizeof sorted[0]);
	for (size_t i = 0; i < n; i++)
		sorted[i] = d->doc.section[i];
	qsort(sorted, n, sizeof sorted[0], by_name);
	for (size_t i = 1; i < n; i++) {
		const struct reader_section *s = sorted[i], *first = sorted[i - 1];
		if (may_stand_beside(first, s) || !schema_find_section(s->kind))
			continue;
		draft_section_error(d, s, "given before, at %s:%u", first->file->name, first->line);
	}
	mem_free(sorted);
}

static void apply_defaults(struct draft *d, const struct reader_section *s, struct seen *seen)
{
	d->defaults_from = mem_resize(
	        d->defaults_from, (d->defaults_n + 1) * sizeof(const struct reader_section *));
	d->defaults_from[d->defaults_n++] = s;
	apply_entries(d, s, KIND_DEFAULTS, NULL, &d->defaults, seen);
}

/* Everything but routes, which begin with [defaults]. */
static void apply_first(struct draft *d, const enum schema_kind *kinds)
{
	struct seen process = {.key = {{NULL, NULL}}}, defaults = {.key = {{NULL, NULL}}};
	for (size_t i = 0; i < d->doc.n; i++) {
		const struct reader_section *s = d->doc.section[i];
		if (kinds[i] == KIND_MOONGATE)
			apply_entries(d, s, KIND_MOONGATE, d->config, NULL, &process);
		else if (kinds[i] == KIND_DEFAULTS)
			apply_defaults(d, s, &defaults);
		else if (kinds[i] == KIND_LISTENER)
			apply_listener(d, s);
		else if (kinds[i] == KIND_UPSTREAM)
			apply_upstream(d, s);
		else if (kinds[i] == KIND_SHARED_DICT)
			apply_shared_dict(d, s);
	}
}

void draft_init(struct draft *d)
{
	*d = (struct draft){.config = mem_new(sizeof *d->config)};
	problems_init(&d->problems);
	d->config->identity.gid = (gid_t)-1;
	apply_initial(KIND_MOONGATE, d->config, NULL);
	apply_initial(KIND_DEFAULTS, NULL, &d->defaults);
}

static size_t count(const enum schema_kind *kinds, size_t n, enum schema_kind kind)
{
	size_t found = 0;
	for (size_t i = 0; i < n; i++)
		found += kinds[i] == kind;
	return found;
}

void draft_apply(struct draft *d)
{
	size_t n = d->doc.n;
	enum schema_kind *kinds = mem_new((n + 1) * sizeof kinds[0]);
	check_repeated_sections(d);
	for (size_t i = 0; i < n; i++)
		kinds[i] = kind_of(d, d->doc.section[i]);
	d->listener = mem_new(count(kinds, n, KIND_LISTENER) * sizeof d->listener[0]);
	d->upstream = mem_new(count(kinds, n, KIND_UPSTREAM) * sizeof d->upstream[0]);
	d->shared_dict = mem_new(count(kinds, n, KIND_SHARED_DICT) * sizeof d->shared_dict[0]);
	d->route = mem_new(count(kinds, n, KIND_ROUTE) * sizeof d->route[0]);
	apply_first(d, kinds);
	for (size_t i = 0; i < n; i++)
		if (kinds[i] == KIND_ROUTE)
			apply_route(d, d->doc.section[i]);
	mem_free(kinds);
}

static void fini_files(struct draft_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		mem_free(files->at[i].path);
	mem_free(files->at);
}

static void fini_listener_tls(struct draft_listener_tls *tls)
{
	fini_files(&tls->certificate);
	fini_files(&tls->key);
	fini_files(&tls->ticket_key);
	fini_files(&tls->ocsp);
	mem_free(tls->client_ca.path);
	mem_free(tls->ciphers);
	mem_free(tls->ciphersuites);
	mem_free(tls->groups);
}

static void fini_upstream_tls(struct draft_upstream_tls *tls)
{
	mem_free(tls->ca.path);
	mem_free(tls->certificate.path);
	mem_free(tls->key.path);
	mem_free(tls->name);
}

static void fini_listener(struct draft_listener *l)
{
	for (size_t i = 0; i < l->bind_n; i++)
		mem_free(l->bind[i].text);
	mem_free(l->bind);
	cidr_list_fini(&l->trusted);
	cidr_list_fini(&l->proxy_protocol_from);
	limit_exempt_unref(l->limits.exempt);
	fini_listener_tls(&l->tls);
}

static void fini_upstream(struct draft_upstream *u)
{
	for (size_t i = 0; i < u->server_n; i++)
		upstream_server_fini(&u->server[i].server);
	mem_free(u->server);
	mem_free(u->source);
	mem_free(u->hash_key.name);
	mem_free(u->health_path);
	mem_free(u->sticky);
	mem_free(u->sticky_secret);
	mem_free(u->sticky_attributes);
	fini_upstream_tls(&u->tls);
	upstream_group_unref(u->group);
}

static void fini_route(struct draft_route *r)
{
	mem_free(r->listener.entry);
	mem_free(r->path.text);
	mem_free(r->respond.location);
	mem_free(r->handler);
	mem_free(r->access);
	mem_free(r->log_handler);
	lua_tls_keys_fini(&r->lua_tls);
	route_settings_fini(&r->settings);
	route_unref(r->route);
}

void draft_fini(struct draft *d)
{
	for (size_t i = 0; i < d->listener_n; i++)
		fini_listener(&d->listener[i]);
	for (size_t i = 0; i < d->upstream_n; i++)
		fini_upstream(&d->upstream[i]);
	for (size_t i = 0; i < d->route_n; i++)
		fini_route(&d->route[i]);
	mem_free(d->listener);
	mem_free(d->upstream);
	mem_free(d->route);
	mem_free(d->defaults_from);
	mem_free(d->shared_dict);
	route_settings_fini(&d->defaults);
	reader_doc_fini(&d->doc);
	problems_fini(&d->problems);
}
