/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/rules.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/find.h"
#include "net/tls_stream.h"

#include <stdio.h>
#include <stdlib.h>

/* Beside the variables of configurations, what the lines of our own consist of. */
enum {
	TEXT = RULES_VARIABLES, /* no variable: the part's own text */
	FORWARDED_FOR,
	FORWARDED_PORT,
	FORWARDED,
};

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

struct part {
	unsigned kind; /* enum rules_variable, or one of the above */
	struct slice text;
};

struct line {
	char *name, *text; /* owned; the parts' texts are in `text` */
	struct part *part;
	size_t part_n;
	bool yields; /* to the same field of a trusted proxy that is appended to */
};

struct drop {
	char *name; /* folded */
	size_t len; /* of the name */
	bool aliases_only;
};

struct rules {
	enum rules_side side;
	enum rules_forward forward;
	struct line *line;
	size_t line_n;
	struct drop *drop;
	size_t drop_n;
	uint64_t drop_lens; /* bit n % 64: a name of n bytes is to be dropped */
	uint32_t used;      /* bit per enum rules_variable that some line has */
	bool is_constant;   /* no line has anything but its own text */
};

/* ---- names ---- */

static uint8_t fold(uint8_t c)
{
	return c == '_' || c == '.' ? '-' : ascii_lower(c);
}

/* Whether the name may be meant by the folded one. */
static bool is_alias(struct slice name, struct slice folded)
{
	if (name.len != folded.len)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (fold(name.at[i]) != folded.at[i])
			return false;
	return true;
}

static bool begins_like(struct slice name, struct slice folded)
{
	return name.len >= folded.len && is_alias(slice_of(name.at, folded.len), folded);
}

enum { KNOWN_MAX = 32 }; /* longer than any name that Moongate understands */

/* What the name would be, spelt with '-'. */
static enum http_name meant(struct slice name)
{
	uint8_t folded[KNOWN_MAX];
	if (name.len == 0 || name.len > sizeof folded)
		return HTTP_OTHER;
	for (size_t i = 0; i < name.len; i++)
		folded[i] = fold(name.at[i]);
	return http_name_of(slice_of(folded, name.len));
}

/* The peer says by these what only those before the application can know. */
static bool is_forwarding(struct slice name)
{
	switch (name.len > 0 ? ascii_lower(name.at[0]) : 0) {
	case 'f':
		return is_alias(name, SLICE("forwarded"));
	case 'x':
		return begins_like(name, SLICE("x-forwarded-")) ||
		       is_alias(name, SLICE("x-real-ip"));
	default:
		return false;
	}
}

static bool refuse_name(char why[RULES_WHY_MAX], const char *format, struct slice name)
{
	int len = name.len < 64 ? (int)name.len : 64;
	snprintf(why, RULES_WHY_MAX, format, len, (const char *)name.at);
	return false;
}

bool rules_may_name(enum rules_side side, struct slice name, char why[RULES_WHY_MAX])
{
	enum http_name id = meant(name);
	if (!http_is_token(name)) {
		snprintf(why, RULES_WHY_MAX, "want a header's name, such as X-Name");
		return false;
	}
	switch (id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
	case HTTP_CONTENT_LENGTH:
	case HTTP_EXPECT:
		return refuse_name(why,
		        "%.*s concerns one connection only and is Moongate's own: want another "
		        "header",
		        name);
	case HTTP_HOST:
		if (side == RULES_RESPONSE)
			break;
		return refuse_name(
		        why, "%.*s has a key of its own: want upstream_host = VALUE", name);
	default:
		break;
	}
	if (begins_like(name, SLICE("proxy-")))
		return refuse_name(
		        why, "%.*s concerns one connection only: want another header", name);
	if (begins_like(name, SLICE("sec-websocket-")))
		return refuse_name(why, "%.*s belongs to the handshake: want another header", name);
	return true;
}

/* ---- making ---- */

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
		*at = (char)fold((uint8_t)*at);
	r->drop = mem_resize(r->drop, (r->drop_n + 1) * sizeof r->drop[0]);
	r->drop[r->drop_n++] = (struct drop){folded, name.len, aliases_only};
	r->drop_lens |= UINT64_C(1) << name.len % 64;
}

static void free_line(struct line *l)
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
			r->is_constant &= kind == TEXT;
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

static void add_part(struct line *l, unsigned kind, struct slice text)
{
	if (kind == TEXT && text.len == 0)
		return;
	l->part = mem_resize(l->part, (l->part_n + 1) * sizeof l->part[0]);
	l->part[l->part_n++] = (struct part){kind, text};
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
static bool split_value(struct line *l, const char *at, char why[RULES_WHY_MAX])
{
	const char *start = at;
	while (*at) {
		if (strncmp(at, "$${", 3) == 0) {
			add_part(l, TEXT, slice_of(start, (size_t)(at + 1 - start)));
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
		add_part(l, TEXT, slice_of(start, (size_t)(at - start)));
		add_part(l, (unsigned)found, SLICE(""));
		start = at = end + 1;
	}
	add_part(l, TEXT, slice_of(start, (size_t)(at - start)));
	return true;
}

/* Takes the line over, or frees it. */
static void append_line(struct rules *r, struct line *l)
{
	r->line = mem_resize(r->line, (r->line_n + 1) * sizeof r->line[0]);
	r->line[r->line_n++] = *l;
	note_used(r);
}

static bool make_line(struct line *l, struct slice name, const char *value, char why[RULES_WHY_MAX])
{
	struct slice v = slice_str(value);
	*l = (struct line){.name = copy_text(name)};
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
	struct line l = {
	        .name = mem_strdup(name), .text = mem_format("%s: ", name), .yields = yields};
	add_part(&l, TEXT, slice_str(l.text));
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
	add_own(r, "X-Forwarded-For", FORWARDED_FOR, false);
	add_own(r, "X-Forwarded-Proto", RULES_SCHEME, yields);
	add_own(r, "X-Forwarded-Host", RULES_HOST, yields);
	add_own(r, "X-Forwarded-Port", FORWARDED_PORT, yields);
	if (rfc7239)
		add_own(r, "Forwarded", FORWARDED, false);
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

static size_t line_size(const struct line *l)
{
	return strlen(l->text) + 2;
}

/* Whether there is room for one line more, in place of those of its name or beside them. */
static bool has_room(
        const struct rules *r, const struct line *l, bool beside, char why[RULES_WHY_MAX])
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
	struct line l;
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

/* ---- running ---- */

static bool is_dropped(const struct rules *r, const struct http_field *f)
{
	if (!(r->drop_lens >> f->name.len % 64 & 1))
		return false;
	for (size_t i = 0; i < r->drop_n; i++)
		if (f->name.len == r->drop[i].len && (f->lax || !r->drop[i].aliases_only) &&
		        is_alias(f->name, slice_of(r->drop[i].name, r->drop[i].len)))
			return true;
	return false;
}

/* Of the fields that a trusted proxy wrote, those pass that are not written anew. */
static bool is_believed(const struct rules *r, struct slice name)
{
	if (slice_equal_nocase(name, SLICE("X-Forwarded-For")))
		return false;
	if (!slice_equal_nocase(name, SLICE("Forwarded")))
		return true;
	for (size_t i = 0; i < r->line_n; i++)
		if (slice_equal(slice_str(r->line[i].name), SLICE("Forwarded")))
			return false;
	return true;
}

static bool stays_behind(const struct rules *r, const struct http_field *f, bool believed)
{
	if (is_dropped(r, f))
		return true;
	if (r->side == RULES_RESPONSE)
		return false;
	if (is_forwarding(f->name))
		return f->lax || !believed || !is_believed(r, f->name);
	return f->lax && (meant(f->name) != HTTP_OTHER || begins_like(f->name, SLICE("proxy-")));
}

void rules_filter(const struct rules *r, struct http_head *head, bool trusted)
{
	bool believed = trusted && r->forward == FORWARD_APPEND;
	for (size_t i = 0; i < head->n; i++) {
		struct http_field *f = &head->field[i];
		if (f->id != HTTP_HOST && stays_behind(r, f, believed))
			f->named = true;
	}
}

bool rules_have_lines(const struct rules *r)
{
	return r->line_n > 0;
}

static struct slice host_of(const struct http_head *head)
{
	return head->authority.len > 0 ? head->authority : head->host;
}

static bool is_inet(const struct address_brief *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static void put_ip(struct http_writer *w, const struct address_brief *a)
{
	struct address_brief plain = *a;
	char text[ADDRESS_TEXT_MAX];
	address_brief_unmap(&plain);
	http_put(w, slice_str(address_brief_ip(&plain, text)));
}

/* An address in a list of them: a peer without one is told as RFC 7239 6.2 says. */
static void put_hop(struct http_writer *w, const struct address_brief *a)
{
	if (is_inet(a))
		put_ip(w, a);
	else
		http_put(w, SLICE("unknown"));
}

/* The values of all fields of that name, as one list that goes on. */
static void put_list(struct http_writer *w, const struct http_head *head, struct slice name)
{
	for (size_t i = 0; i < head->n; i++) {
		const struct http_field *f = &head->field[i];
		if (f->value.len == 0 || !slice_equal_nocase(f->name, name))
			continue;
		http_put(w, f->value);
		http_put(w, SLICE(", "));
	}
}

static bool appends(const struct rules *r, const struct rules_scope *s)
{
	return r->forward == FORWARD_APPEND && s->trusted;
}

static void put_forwarded_for(
        const struct rules *r, struct http_writer *w, const struct rules_scope *s)
{
	if (appends(r, s))
		put_list(w, s->head, SLICE("X-Forwarded-For"));
	put_hop(w, appends(r, s) ? s->peer : s->client);
}

/* RFC 7239 4; an IPv6 address is in brackets and quotes (6). */
static void put_forwarded(const struct rules *r, struct http_writer *w, const struct rules_scope *s)
{
	struct address_brief by = *(appends(r, s) ? s->peer : s->client);
	address_brief_unmap(&by);
	bool quoted = by.family == AF_INET6;
	if (appends(r, s))
		put_list(w, s->head, SLICE("Forwarded"));
	http_put(w, quoted ? SLICE("for=\"[") : SLICE("for="));
	put_hop(w, &by);
	http_put(w, quoted ? SLICE("]\";host=\"") : SLICE(";host=\""));
	http_put(w, host_of(s->head));
	http_put(w, s->tls ? SLICE("\";proto=https") : SLICE("\";proto=http"));
}

/* What there is no TLS for, or what a client has not shown, is empty. */
static struct slice tls_value(const struct tls_info *tls, unsigned kind)
{
	switch (tls ? kind : TEXT) {
	case RULES_TLS_VERSION:
		return slice_str(tls->version);
	case RULES_TLS_CIPHER:
		return slice_str(tls->cipher);
	case RULES_TLS_SERVER_NAME:
		return tls->server_name;
	case RULES_TLS_CLIENT_SUBJECT:
		return tls->subject;
	case RULES_TLS_CLIENT_ISSUER:
		return tls->issuer;
	case RULES_TLS_CLIENT_FINGERPRINT:
		return tls->fingerprint;
	default:
		return SLICE("");
	}
}

static void put_uri(struct http_writer *w, const struct http_head *head)
{
	if (head->authority.len == 0) {
		http_put(w, head->target);
		return;
	}
	http_put(w, head->path);
	if (head->query.len > 0) {
		http_put(w, SLICE("?"));
		http_put(w, head->query);
	}
}

static void put_time(struct http_writer *w)
{
	char text[25];
	clock_iso(text);
	http_put(w, slice_of(text, sizeof text - 1));
}

static void put_part(const struct rules *r, struct http_writer *w, const struct rules_scope *s,
        const struct part *p)
{
	switch (p->kind) {
	case TEXT:
		http_put(w, p->text);
		break;
	case RULES_REMOTE_ADDR:
		put_ip(w, s->client);
		break;
	case RULES_REMOTE_PORT:
		http_put_digits(w, s->client->port);
		break;
	case RULES_HOST:
		http_put(w, host_of(s->head));
		break;
	case RULES_SCHEME:
		http_put(w, s->tls ? SLICE("https") : SLICE("http"));
		break;
	case RULES_LISTENER:
		http_put(w, s->listener);
		break;
	case RULES_ROUTE:
		http_put(w, s->route);
		break;
	case RULES_REQUEST_ID:
		http_put(w, s->request_id);
		break;
	case RULES_UPSTREAM:
		http_put(w, RULES_SERVER);
		break;
	case RULES_URI:
		put_uri(w, s->head);
		break;
	case RULES_TIME:
		put_time(w);
		break;
	case RULES_TLS_VERSION:
	case RULES_TLS_CIPHER:
	case RULES_TLS_SERVER_NAME:
	case RULES_TLS_CLIENT_SUBJECT:
	case RULES_TLS_CLIENT_ISSUER:
	case RULES_TLS_CLIENT_FINGERPRINT:
		http_put(w, tls_value(s->tls, p->kind));
		break;
	case FORWARDED_FOR:
		put_forwarded_for(r, w, s);
		break;
	case FORWARDED_PORT:
		http_put_digits(w, s->port);
		break;
	case FORWARDED:
		put_forwarded(r, w, s);
		break;
	}
}

/* A trusted proxy has said it already, and its line passes. */
static bool is_said(const struct rules *r, const struct rules_scope *s, const struct line *l)
{
	if (!l->yields || !appends(r, s))
		return false;
	for (size_t i = 0; i < s->head->n; i++)
		if (!s->head->field[i].named &&
		        slice_equal_nocase(s->head->field[i].name, slice_str(l->name)))
			return true;
	return false;
}

void rules_put(const struct rules *r, struct http_writer *w, const struct rules_scope *s)
{
	for (size_t i = 0; i < r->line_n; i++) {
		const struct line *l = &r->line[i];
		if (is_said(r, s, l) ||
		        (l->part[l->part_n - 1].kind == FORWARDED_PORT && s->port == 0))
			continue;
		for (size_t k = 0; k < l->part_n; k++)
			put_part(r, w, s, &l->part[k]);
		http_put_end(w);
	}
}

void rules_expand(struct http_writer *w, struct slice text, struct slice server)
{
	const uint8_t *at = text.at, *end = text.at + text.len;
	while (at < end) {
		const uint8_t *mark = memchr(at, RULES_SERVER.at[0], (size_t)(end - at));
		http_put(w, slice_of(at, (size_t)((mark ? mark : end) - at)));
		if (!mark)
			return;
		http_put(w, server);
		at = mark + 1;
	}
}

/* ---- told ---- */

static void describe_part(FILE *out, const struct rules *r, const struct part *p)
{
	const char *before = r->forward == FORWARD_APPEND ? "what a trusted proxy says, " : "";
	if (p->kind == TEXT)
		fprintf(out, "%.*s", (int)p->text.len, (const char *)p->text.at);
	else if (p->kind < RULES_VARIABLES)
		fprintf(out, "${%s}", variables[p->kind]);
	else if (p->kind == FORWARDED_FOR)
		fprintf(out, "%s${remote_addr}", before);
	else if (p->kind == FORWARDED)
		fprintf(out, "%sfor=${remote_addr};host=${host};proto=${scheme}", before);
	else
		fputs("the port that the client came to", out);
}

static bool is_line(const struct rules *r, const char *folded)
{
	for (size_t i = 0; i < r->line_n; i++)
		if (is_alias(slice_str(r->line[i].name), slice_str(folded)))
			return true;
	return false;
}

/* Whether a peer's field of the line's name stays behind. */
static bool is_set(const struct rules *r, const struct line *l)
{
	struct http_field f = {.name = slice_str(l->name)};
	return is_dropped(r, &f) || is_forwarding(f.name);
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
