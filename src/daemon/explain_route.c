/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/explain_route.h"

#include "daemon/explain_group.h"
#include "http/answer.h"
#include "http/handshake.h"
#include "http/uri.h"
#include "proxy/rewrite.h"
#include "proxy/tokens.h"
#include "upstream/group.h"

#include <string.h>

enum {
	COLUMN = 14,       /* where the facts of a route begin */
	LINE_MAX_LEN = 96, /* of lists that are broken */
};

void explain_label(FILE *out, const char *name)
{
	fprintf(out, "  %-*s", COLUMN - 2, name);
}

/* ---- lists ---- */

void explain_item(struct explain_list *l, const char *name, const char *value)
{
	size_t n = strlen(name) + 1 + strlen(value);
	if (l->at == 0) {
		explain_label(l->out, l->label);
		l->at = COLUMN;
	} else {
		bool fits = l->at + n + 2 <= LINE_MAX_LEN;
		fprintf(l->out, fits ? ", " : ",\n%*s", fits ? 0 : COLUMN, "");
		l->at = fits ? l->at + 2 : COLUMN;
	}
	fprintf(l->out, "%s %s", name, value);
	l->at += n;
}

void explain_key(struct explain_list *l, enum schema_kind kind, const char *name, const void *field)
{
	char value[SCHEMA_FORM_MAX];
	if (schema_value(schema_find(kind, name), field, value))
		explain_item(l, name, value);
}

/* ---- where it goes ---- */

static void print_action(FILE *out, const struct route *r, const struct http_head *head)
{
	explain_label(out, "does");
	switch (r->action) {
	case ROUTE_UPSTREAM:
		fprintf(out, "pass WebSocket connections to [upstream %s]\n", r->group->name);
		explain_group(out, r->group, head);
		break;
	case ROUTE_ECHO:
		fputs("answer WebSocket connections with an echo\n", out);
		break;
	case ROUTE_HANDLER:
		fputs("let a Lua script handle every request\n", out);
		break;
	case ROUTE_RESPOND:
		fprintf(out, "answer every request with %u%s%s\n", r->respond_status,
		        r->respond_location ? " and Location: " : "",
		        r->respond_location ? r->respond_location : "");
		break;
	}
}

/* ---- what becomes of it on the way ---- */

static void print_target(FILE *out, const struct route *r, const struct http_head *head)
{
	uint8_t target[HTTP_TARGET_MAX];
	struct http_writer w;
	http_writer_init(&w, target, sizeof target);
	rewrite_target(&w, head, r->headers.from, r->headers.to);
	if (w.overflow)
		fputs("414: the target is over 8 KiB with its path replaced\n", out);
	else
		fprintf(out, "GET %.*s HTTP/1.1\n", (int)w.len, (const char *)target);
}

static void print_host_line(FILE *out, const struct route *r, const struct http_head *head)
{
	struct slice host = head->authority.len > 0 ? head->authority : head->host;
	if (r->headers.host)
		host = slice_str(r->headers.host);
	if (r->headers.host_is_server)
		host = SLICE("the server's name");
	fprintf(out, "%*sHost: %.*s\n", COLUMN, "", (int)host.len, (const char *)host.at);
}

struct rule_lines {
	FILE *out;
	bool has_label;
};

static void print_rule(void *arg, enum rules_op op, struct slice rule)
{
	static const char *const verbs[] = {
	        [RULES_SET] = "set", [RULES_ADD] = "add", [RULES_REMOVE] = "remove"};
	struct rule_lines *l = arg;
	if (!l->has_label)
		explain_label(l->out, "response");
	fprintf(l->out, "%*s%-6s %.*s\n", l->has_label ? COLUMN : 0, "", verbs[op], (int)rule.len,
	        (const char *)rule.at);
	l->has_label = true;
}

static void print_headers(FILE *out, const struct route *r, const struct http_head *head)
{
	struct rule_lines request = {out, true}, response = {out, false};
	if (r->headers.request) {
		explain_label(out, "request");
		print_target(out, r, head);
		print_host_line(out, r, head);
		rules_tell(r->headers.request, print_rule, &request);
	}
	if (r->headers.response)
		rules_tell(r->headers.response, print_rule, &response);
}

/* ---- who may, and how much ---- */

static void print_origins(FILE *out, const struct route_settings *s)
{
	explain_label(out, "origin");
	if (!s->origins)
		fputs("any", out);
	for (size_t i = 0; i < origin_list_n(s->origins); i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", origin_list_text(s->origins, i));
	fprintf(out, "; without Origin: %s\n",
	        s->origin_missing == ORIGIN_MISSING_DENY ? "403" : "allowed");
}

static void print_origin_verdict(
        FILE *out, const struct route_settings *s, const struct http_head *head)
{
	const struct http_field *f = http_find(head, HTTP_ORIGIN);
	enum origin_verdict v = origin_check(s->origins, s->origin_missing, head);
	const char *by = s->origins && f ? origin_list_find(s->origins, head) : NULL;
	if (!f)
		return;
	fprintf(out, "%*s%.*s: ", COLUMN, "", (int)f->value.len, (const char *)f->value.at);
	if (v != ORIGIN_ALLOWED)
		fprintf(out, "403, %s\n", origin_reason(v));
	else
		fprintf(out, "allowed%s%s\n", by ? " by " : "", by ? by : "");
}

static void print_protocols(FILE *out, const struct token_list *l)
{
	explain_label(out, "subprotocol");
	if (!l)
		fputs("any", out);
	for (size_t i = 0; l && i < l->n; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : "", (const char *)l->at[i].at);
	fputc('\n', out);
}

/* A key that only scripts have a use for. */
static bool is_for_scripts(const struct schema_key *k)
{
	size_t from = offsetof(struct route_settings, handler);
	return k->offset >= from && k->offset < from + sizeof(struct handler_settings);
}

static void print_limits(FILE *out, const struct route *r)
{
	struct explain_list l = {.out = out, .label = "limits"};
	for (size_t i = 0; i < schema_key_n; i++) {
		const struct schema_key *k = &schema_key[i];
		char value[SCHEMA_FORM_MAX];
		if (!(k->flags & KEY_DEFAULTS) || (is_for_scripts(k) && !r->handler && !r->access))
			continue;
		if (schema_value(k, (const char *)&r->settings + k->offset, value))
			explain_item(&l, k->name, value);
	}
	fputc('\n', out);
}

/* Those of the listener hold beside them. */
static void print_listener(FILE *out, const struct proxy_listener *l)
{
	struct explain_list list = {.out = out, .label = "listener"};
	explain_key(&list, KIND_LISTENER, "handshake_timeout", &l->handshake_timeout_ms);
	explain_key(&list, KIND_LISTENER, "keepalive_timeout", &l->keepalive_timeout_ms);
	if (l->tls)
		explain_key(&list, KIND_LISTENER, "tls_timeout", &l->tls_timeout_ms);
	explain_key(&list, KIND_LISTENER, "max_connections", &l->limits.max_connections);
	explain_key(&list, KIND_LISTENER, "max_connections_per_address",
	        &l->limits.max_connections_per_address);
	fputc('\n', out);
}

/* What the client gets, as far as the configuration decides it. */
static void print_answer(FILE *out, const struct route *r, const struct http_head *head)
{
	struct slice key;
	enum upgrade_verdict v = upgrade_check(head, &key);
	enum origin_verdict o = origin_check(r->settings.origins, r->settings.origin_missing, head);
	explain_label(out, "answer");
	if (r->action == ROUTE_RESPOND)
		fprintf(out, "%u %s\n", r->respond_status, http_status_text(r->respond_status));
	else if (r->action == ROUTE_HANDLER && (v == UPGRADE_NONE || o == ORIGIN_ALLOWED))
		fputs("what the script says\n", out);
	else if (v != UPGRADE_NONE && o != ORIGIN_ALLOWED)
		fprintf(out, "403 %s: %s\n", http_status_text(403), origin_reason(o));
	else if (v != UPGRADE_OK)
		fprintf(out, "%u %s: %s\n", upgrade_status(v), http_status_text(upgrade_status(v)),
		        upgrade_reason(v));
	else
		fprintf(out, "101 %s%s\n", http_status_text(101),
		        r->action == ROUTE_UPSTREAM ? ", once the upstream has said so" : "");
}

void explain_route(FILE *out, const struct route *r, const struct proxy_listener *l,
        const struct http_head *head)
{
	print_action(out, r, head);
	if (r->access) {
		explain_label(out, "access");
		fputs("a Lua script may refuse or change the request first\n", out);
	}
	print_headers(out, r, head);
	if (r->action != ROUTE_RESPOND) {
		print_origins(out, &r->settings);
		print_origin_verdict(out, &r->settings, head);
		print_protocols(out, r->settings.subprotocols);
		print_limits(out, r);
	}
	print_listener(out, l);
	print_answer(out, r, head);
}
