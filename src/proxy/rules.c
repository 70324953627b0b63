/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/rules.h"

#include "base/mem.h"
#include "http/find.h"
#include "proxy/rules_name.h"
#include "proxy/rules_private.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const variables[RULES_VARIABLES] = {
        [RULES_REMOTE_ADDR] = "remote_addr",
        [RULES_REMOTE_PORT] = "remote_port",
        [RULES_HOST] = "host",
        [RULES_SCHEME] = "scheme",
        [RULES_LISTENER] = "listener",
        [RULES_ROUTE] = "route",
        [RULES_REQUEST_ID] = "request_id",
        [RULES_UPSTREAM] = "upstream",
        [RULES_URI] = "uri",
        [RULES_TIME] = "time",
        [RULES_TLS_VERSION] = "tls_version",
        [RULES_TLS_CIPHER] = "tls_cipher",
        [RULES_TLS_SERVER_NAME] = "tls_server_name",
        [RULES_TLS_CLIENT_SUBJECT] = "tls_client_subject",
        [RULES_TLS_CLIENT_ISSUER] = "tls_client_issuer",
        [RULES_TLS_CLIENT_FINGERPRINT] = "tls_client_fingerprint",
};

static char *copy_text(struct slice s)
{
	char *out = mem_new(s.len + 1);
	memcpy(out, s.at, s.len);
	return out;
}

static void add_drop(struct rules *r, struct slice name, bool aliases_only)
{
	char *folded = copy_text(name);
	for (char *at = folded; *at; at++)
		*at = (char)rules_name_fold((uint8_t)*at);
	r->drop = mem_resize(r->drop, (r->drop_n + 1) * sizeof r->drop[0]);
	r->drop[r->drop_n++] = (struct rules_drop){folded, name.len, aliases_only};
	r->drop_lens |= UINT64_C(1) << name.len % 64;
}

static void free_line(struct rules_line *l)
{
	mem_free(l->name);
	mem_free(l->text);
	mem_free(l->part);
}

static void note_used(struct rules *r)
{
	r->used = 0;
	r->is_constant = true;
	for (size_t i = 0; i < r->line_n; i++) {
		for (size_t k = 0; k < r->line[i].part_n; k++) {
			unsigned kind = r->line[i].part[k].kind;
			r->is_constant &= kind == RULES_TEXT;
			if (kind < RULES_VARIABLES)
				r->used |= UINT32_C(1) << kind;
		}
	}
}

/* Takes back the lines under that name. */
static void undo_lines(struct rules *r, struct slice name)
{
	size_t kept = 0;
	for (size_t i = 0; i < r->line_n; i++) {
		if (slice_equal_nocase(slice_str(r->line[i].name), name))
			free_line(&r->line[i]);
		else
			r->line[kept++] = r->line[i];
	}
	r->line_n = kept;
	note_used(r);
}

static void add_part(struct rules_line *l, unsigned kind, struct slice text)
{
	if (kind == RULES_TEXT && text.len == 0)
		return;
	l->part = mem_resize(l->part, (l->part_n + 1) * sizeof l->part[0]);
	l->part[l->part_n++] = (struct rules_part){kind, text};
}

static int find_variable(struct slice name)
{
	for (int i = 0; i < RULES_VARIABLES; i++)
		if (slice_equal(name, slice_str(variables[i])))
			return i;
	return -1;
}

static bool refuse_variable(char why[RULES_WHY_MAX])
{
	size_t len = (size_t)snprintf(why, RULES_WHY_MAX, "unknown variable: want one of");
	for (int i = 0; i < RULES_VARIABLES; i++)
		len += (size_t)snprintf(
		        why + len, RULES_WHY_MAX - len, "%s ${%s}", i > 0 ? "," : "", variables[i]);
	return false;
}

/* The text of l, from `at`, in parts. */
static bool split_value(struct rules_line *l, const char *at, char why[RULES_WHY_MAX])
{
	const char *start = at;
	while (*at) {
		if (strncmp(at, "$${", 3) == 0) {
			add_part(l, RULES_TEXT, slice_of(start, (size_t)(at + 1 - start)));
			start = at + 2;
			at += 3;
			continue;
		}
		if (strncmp(at, "${", 2) != 0) {
			at++;
			continue;
		}
		const char *name = at + 2, *end = strchr(name, '}');
		int found = end ? find_variable(slice_of(name, (size_t)(end - name))) : -1;
		if (found < 0)
			return refuse_variable(why);
		add_part(l, RULES_TEXT, slice_of(start, (size_t)(at - start)));
		add_part(l, (unsigned)found, SLICE(""));
		start = at = end + 1;
	}
	add_part(l, RULES_TEXT, slice_of(start, (size_t)(at - start)));
	return true;
}

/* Takes the line over, or frees it. */
static void append_line(struct rules *r, struct rules_line *l)
{
	r->line = mem_resize(r->line, (r->line_n + 1) * sizeof r->line[0]);
	r->line[r->line_n++] = *l;
	note_used(r);
}

static bool make_line(
        struct rules_line *l, struct slice name, const char *value, char why[RULES_WHY_MAX])
{
	struct slice v = slice_str(value);
	*l = (struct rules_line){.name = copy_text(name)};
	if (http_find_control(v.at, v.at + v.len) != v.at + v.len) {
		snprintf(why, RULES_WHY_MAX, "want a value without CR, LF and other control bytes");
		goto fail;
	}
	size_t size = name.len + v.len + 3;
	l->text = mem_new(size);
	snprintf(l->text, size, "%.*s: %s", (int)name.len, (const char *)name.at, value);
	if (split_value(l, l->text, why))
		return true;
fail:
	free_line(l);
	return false;
}

/* A line of our own: a name, and what it consists of. */
static void add_own(struct rules *r, const char *name, unsigned kind, bool yields)
{
	struct rules_line l = {
	        .name = mem_strdup(name), .text = mem_format("%s: ", name), .yields = yields};
	add_part(&l, RULES_TEXT, slice_str(l.text));
	add_part(&l, kind, SLICE(""));
	append_line(r, &l);
}

struct rules *rules_new(enum rules_side side, enum rules_forward forward, bool rfc7239)
{
	struct rules *r = mem_new(sizeof *r);
	r->side = side;
	r->forward = forward;
	r->is_constant = true;
	if (side == RULES_RESPONSE || forward == FORWARD_OFF)
		return r;
	bool yields = forward == FORWARD_APPEND;
	add_own(r, "X-Forwarded-For", RULES_FORWARDED_FOR, false);
	add_own(r, "X-Forwarded-Proto", RULES_SCHEME, yields);
	add_own(r, "X-Forwarded-Host", RULES_HOST, yields);
	add_own(r, "X-Forwarded-Port", RULES_FORWARDED_PORT, yields);
	if (rfc7239)
		add_own(r, "Forwarded", RULES_FORWARDED, false);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->line_n; i++)
		free_line(&r->line[i]);
	for (size_t i = 0; i < r->drop_n; i++)
		mem_free(r->drop[i].name);
	mem_free(r->line);
	mem_free(r->drop);
	mem_free(r);
}

void rules_identify(struct rules *r, const char *header)
{
	struct slice name = slice_str(header);
	undo_lines(r, name);
	add_drop(r, name, false);
	add_own(r, header, RULES_REQUEST_ID, false);
}

static size_t line_size(const struct rules_line *l)
{
	return strlen(l->text) + 2;
}

/* Whether there is room for one line more, in place of those of its name or beside them. */
static bool has_room(
        const struct rules *r, const struct rules_line *l, bool beside, char why[RULES_WHY_MAX])
{
	size_t sum = line_size(l);
	for (size_t i = 0; i < r->line_n; i++)
		if (beside || !slice_equal_nocase(slice_str(r->line[i].name), slice_str(l->name)))
			sum += line_size(&r->line[i]);
	if (sum > RULES_LINES_MAX)
		snprintf(why, RULES_WHY_MAX, "with this line %zu bytes are added: want at most %d",
		        sum, RULES_LINES_MAX);
	return sum <= RULES_LINES_MAX;
}

bool rules_add(struct rules *r, enum rules_op op, const char *text, char why[RULES_WHY_MAX])
{
	size_t len = strcspn(text, ":");
	struct slice name = slice_of(text, len);
	struct rules_line l;
	const char *value = text[len] ? text + len + 1 : NULL;

	if (op == RULES_REMOVE ? value != NULL : value == NULL) {
		snprintf(why, RULES_WHY_MAX,
		        op == RULES_REMOVE ? "want a name alone, such as X-Name"
		                           : "want Name: value, such as X-Name: text");
		return false;
	}
	if (!rules_may_name(r->side, name, why))
		return false;
	if (value) {
		value += strspn(value, " \t");
		if (*value == '\0') {
			snprintf(why, RULES_WHY_MAX,
			        "want a value behind the ':'; %s_remove takes a header away",
			        r->side == RULES_REQUEST ? "request" : "response");
			return false;
		}
		if (!make_line(&l, name, value, why))
			return false;
		if (!has_room(r, &l, op == RULES_ADD, why)) {
			free_line(&l);
			return false;
		}
	}
	if (op != RULES_ADD)
		undo_lines(r, name);
	add_drop(r, name, op == RULES_ADD);
	if (value)
		append_line(r, &l);
	return true;
}

bool rules_are_empty(const struct rules *r)
{
	return r->side == RULES_RESPONSE && r->line_n == 0 && r->drop_n == 0;
}

bool rules_use(const struct rules *r, enum rules_variable v)
{
	return r->used >> v & 1;
}

bool rules_are_constant(const struct rules *r)
{
	return r->is_constant;
}

/* ---- told ---- */

static void describe_part(FILE *out, const struct rules *r, const struct rules_part *p)
{
	const char *before = r->forward == FORWARD_APPEND ? "what a trusted proxy says, " : "";
	if (p->kind == RULES_TEXT)
		fprintf(out, "%.*s", (int)p->text.len, (const char *)p->text.at);
	else if (p->kind < RULES_VARIABLES)
		fprintf(out, "${%s}", variables[p->kind]);
	else if (p->kind == RULES_FORWARDED_FOR)
		fprintf(out, "%s${remote_addr}", before);
	else if (p->kind == RULES_FORWARDED)
		fprintf(out, "%sfor=${remote_addr};host=${host};proto=${scheme}", before);
	else
		fputs("the port that the client came to", out);
}

static bool is_line(const struct rules *r, const char *folded)
{
	for (size_t i = 0; i < r->line_n; i++)
		if (rules_name_is_alias(slice_str(r->line[i].name), slice_str(folded)))
			return true;
	return false;
}

/* Whether a peer's field of the line's name stays behind. */
static bool is_set(const struct rules *r, const struct rules_line *l)
{
	struct http_field f = {.name = slice_str(l->name)};
	return rules_drops(r, &f) || rules_is_forwarding(f.name);
}

void rules_tell(const struct rules *r, rules_tell_fn fn, void *arg)
{
	for (size_t i = 0; i < r->line_n; i++) {
		char *text;
		size_t len;
		FILE *out = open_memstream(&text, &len);
		if (!out)
			abort();
		for (size_t k = 0; k < r->line[i].part_n; k++)
			describe_part(out, r, &r->line[i].part[k]);
		fclose(out);
		fn(arg, is_set(r, &r->line[i]) ? RULES_SET : RULES_ADD, slice_of(text, len));
		free(text);
	}
	for (size_t i = 0; i < r->drop_n; i++)
		if (!r->drop[i].aliases_only && !is_line(r, r->drop[i].name))
			fn(arg, RULES_REMOVE, slice_str(r->drop[i].name));
}

void route_headers_fini(struct route_headers *h)
{
	rules_free(h->request);
	rules_free(h->response);
	mem_free(h->request_id);
	mem_free(h->host);
	mem_free(h->from);
	mem_free(h->to);
	*h = (struct route_headers){.request = NULL};
}
