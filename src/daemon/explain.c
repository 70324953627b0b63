/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/explain.h"

#include "daemon/explain_route.h"
#include "daemon/say.h"
#include "http/answer.h"
#include "http/uri.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STEPS_MAX = 30 }; /* routes that are told one by one */

/* ---- the request ---- */

struct url {
	bool is_websocket, is_secure;
	struct slice method, authority, target;
};

static bool take_prefix(struct slice *s, const char *prefix)
{
	struct slice p = slice_str(prefix);
	if (s->len < p.len || !slice_equal_nocase(slice_of(s->at, p.len), p))
		return false;
	*s = slice_of(s->at + p.len, s->len - p.len);
	return true;
}

static bool read_scheme(struct slice *s, struct url *u)
{
	bool is_ws = take_prefix(s, "ws://"), is_wss = !is_ws && take_prefix(s, "wss://");
	bool is_https = !is_ws && !is_wss && take_prefix(s, "https://");
	u->is_websocket = is_ws || is_wss;
	u->is_secure = is_wss || is_https;
	return u->is_websocket || is_https || take_prefix(s, "http://");
}

/* [METHOD ]URL */
static bool read_url(const char *text, struct url *u)
{
	const char *blank = strchr(text, ' ');
	u->method = blank ? slice_of(text, (size_t)(blank - text)) : SLICE("GET");
	struct slice rest = slice_str(blank ? blank + strspn(blank, " ") : text);
	if (!http_is_token(u->method) || !read_scheme(&rest, u))
		return false;
	size_t host = 0;
	while (host < rest.len && !memchr("/?#", rest.at[host], 3))
		host++;
	u->authority = slice_of(rest.at, host);
	u->target = slice_of(rest.at + host, rest.len - host);
	for (size_t i = 0; i < rest.len; i++)
		if (rest.at[i] <= 0x20 || rest.at[i] == 0x7f)
			return false;
	return host > 0;
}

static bool has_header(const struct explain_request *r, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < r->header_n; i++)
		if (strncasecmp(r->header[i], name, len) == 0 && r->header[i][len] == ':')
			return true;
	return false;
}

/* A line that a usual client sends, unless it was given in another form. */
static void put_usual(
        FILE *f, const struct explain_request *r, const char *name, struct slice value)
{
	if (!has_header(r, name))
		fprintf(f, "%s: %.*s\r\n", name, (int)value.len, (const char *)value.at);
}

/* The request as it would come; the caller frees it. */
static char *write_request(const struct explain_request *r, const struct url *u, size_t *len)
{
	char *text;
	FILE *f = open_memstream(&text, len);
	if (!f)
		abort();
	bool has_path = u->target.len > 0 && u->target.at[0] == '/';
	fprintf(f, "%.*s %s%.*s HTTP/1.1\r\n", (int)u->method.len, (const char *)u->method.at,
	        has_path ? "" : "/", (int)u->target.len, (const char *)u->target.at);
	put_usual(f, r, "Host", u->authority);
	if (u->is_websocket) {
		put_usual(f, r, "Upgrade", SLICE("websocket"));
		put_usual(f, r, "Connection", SLICE("Upgrade"));
		put_usual(f, r, "Sec-WebSocket-Key", SLICE("AAAAAAAAAAAAAAAAAAAAAA=="));
		put_usual(f, r, "Sec-WebSocket-Version", SLICE("13"));
	}
	for (size_t i = 0; i < r->header_n; i++)
		fprintf(f, "%s\r\n", r->header[i]);
	fputs("\r\n", f);
	fclose(f);
	return text;
}

/* ---- the listener ---- */

static const struct proxy_listener *listener_by_name(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->listener_n; i++)
		if (strcmp(c->listener[i]->name, name) == 0)
			return c->listener[i];
	return NULL;
}

static unsigned port_of(const struct url *u)
{
	uint8_t host[URI_HOST_MAX];
	struct slice port;
	unsigned n = 0;
	uri_host(u->authority, host, &port);
	for (size_t i = 0; i < port.len; i++)
		n = n * 10 + (unsigned)(port.at[i] - '0');
	return port.len > 0 ? n : u->is_secure ? 443 : 80;
}

/* The only one at that port, or NULL. */
static const struct proxy_listener *listener_at(const struct config *c, unsigned port)
{
	const struct proxy_listener *found = NULL;
	for (size_t i = 0; i < c->bind_n; i++) {
		const struct config_bind *b = &c->bind[i];
		if (address_port(&b->settings.address) != port || found == b->listener)
			continue;
		if (found)
			return NULL;
		found = b->listener;
	}
	return found;
}

static const struct proxy_listener *choose_listener(const struct config *c,
        const struct explain_request *r, const struct url *u, const char **why)
{
	const struct proxy_listener *l = NULL;
	*why = "";
	if (r->listener) {
		l = listener_by_name(c, r->listener);
		if (!l)
			say("--listener %s: there is no [listener %s]", r->listener, r->listener);
	} else if (c->listener_n == 1) {
		l = c->listener[0];
	} else if ((l = listener_at(c, port_of(u)))) {
		*why = ", which has the port of the URL";
	} else {
		l = c->listener[0];
		*why = ", the first one; --listener NAME chooses another";
	}
	return l;
}

/* ---- the search ---- */

struct telling {
	FILE *out;
	const struct config *config;
	const struct proxy_listener *listener;
	const struct http_head *head;
	struct slice host;
	bool is_suffix;
	size_t told, left_out;
	bool has_host; /* its line was printed */
};

static void print_host(FILE *out, struct slice host, bool is_suffix)
{
	if (host.len == 0)
		fputs("any host", out);
	else
		fprintf(out, "host %s%.*s", is_suffix ? "*" : "", (int)host.len,
		        (const char *)host.at);
}

static void print_path(FILE *out, const struct route *r, int width)
{
	bool is_any = r->path[0] == '\0';
	char text[64];
	int n = snprintf(text, sizeof text, "%s%s", is_any ? "any path" : r->path,
	        r->prefix && !is_any ? "*" : "");
	if (n >= (int)sizeof text)
		fprintf(out, "%s%s", r->path, r->prefix ? "*" : "");
	else
		fprintf(out, "%-*s", width, text);
}

static void print_names(FILE *out, const struct config *c, uint64_t listeners)
{
	const char *gap = "";
	for (size_t i = 0; i < c->listener_n; i++) {
		if (listeners >> c->listener[i]->number & 1) {
			fprintf(out, "%s[listener %s]", gap, c->listener[i]->name);
			gap = ", ";
		}
	}
}

static void print_unmet(const struct telling *t, const struct condition *c)
{
	char text[CONDITION_TEXT_MAX];
	struct slice value;
	fprintf(t->out, "no: wants %s; ", condition_text(c, text));
	if (condition_find(c, t->head, NULL, &value))
		fprintf(t->out, "the request has \"%.*s\"\n", (int)value.len,
		        (const char *)value.at);
	else
		fputs("not given, or not once\n", t->out);
}

static void print_verdict(const struct telling *t, const struct route_step *step)
{
	switch (step->verdict) {
	case ROUTE_HOLDS:
		fputs("yes\n", t->out);
		break;
	case ROUTE_NOT_AT_LISTENER:
		fputs("no: only at ", t->out);
		print_names(t->out, t->config, step->route->listeners);
		fputc('\n', t->out);
		break;
	case ROUTE_NOT_BY_CONDITION:
		print_unmet(t, step->condition);
		break;
	}
}

static void on_step(const struct route_step *step, void *arg)
{
	struct telling *t = arg;
	bool is_new = !t->has_host || t->is_suffix != step->is_suffix ||
	              !slice_equal(t->host, step->host);
	if (is_new) {
		fputs("  ", t->out);
		print_host(t->out, step->host, step->is_suffix);
		fputc('\n', t->out);
		t->host = step->host;
		t->is_suffix = step->is_suffix;
		t->has_host = true;
	}
	if (!step->route) {
		fputs("    no route has a path that fits\n", t->out);
	} else if (step->verdict != ROUTE_HOLDS && t->told >= STEPS_MAX) {
		t->left_out++;
	} else {
		if (t->left_out > 0)
			fprintf(t->out, "    and %zu more that do not fit\n", t->left_out);
		t->left_out = 0;
		t->told++;
		fputs("    ", t->out);
		print_path(t->out, step->route, 24);
		fprintf(t->out, " [route %s]  ", step->route->name);
		print_verdict(t, step);
	}
}

/* ---- the route ---- */

static void print_why(const struct telling *t, const struct route *r)
{
	char text[CONDITION_TEXT_MAX];
	FILE *out = t->out;
	explain_label(out, "because");
	print_host(out, t->host, t->is_suffix);
	fputs(r->prefix && r->path[0] ? ", longest prefix " : ", ", out);
	fputs(r->prefix || !r->path[0] ? "" : "exact path ", out);
	print_path(out, r, 0);
	if (r->listeners) {
		fputs(", ", out);
		print_names(out, t->config, r->listeners);
	}
	for (size_t i = 0; i < r->condition_n; i++)
		fprintf(out, ", %s", condition_text(&r->condition[i], text));
	fputc('\n', out);
}

static void print_route(const struct telling *t, const struct route *r)
{
	fprintf(t->out, "\n[route %s]\n", r->name);
	print_why(t, r);
	explain_route(t->out, r, t->listener, t->head);
}

static enum explain_result search(FILE *out, const struct config *c, const struct proxy_listener *l,
        const struct http_head *head)
{
	uint8_t path[HTTP_TARGET_MAX], host[URI_HOST_MAX];
	struct slice port;
	ssize_t n = uri_normalise_path(head->path, path);
	if (n <= 0) {
		fputs("no route: 400 Bad Request, the target is no path that can be routed\n", out);
		return EXPLAIN_NOT_ROUTED;
	}
	struct telling t = {.out = out, .config = c, .listener = l, .head = head};
	struct route_query q = {.listener = l->number,
	        .host = slice_of(host, uri_host(head->host, host, &port)),
	        .path = slice_of(path, (size_t)n),
	        .head = head};
	fprintf(out, "host %.*s, path %.*s; the most specific place comes first:\n",
	        (int)q.host.len, (const char *)host, (int)n, (const char *)path);
	const struct route *r = route_explain(c->routes, &q, on_step, &t);
	if (!t.has_host)
		fputs("  no route names this host, and none is for any host\n", out);
	if (!r) {
		if (t.left_out > 0)
			fprintf(out, "    and %zu more that do not fit\n", t.left_out);
		fputs("\nno route: 404 Not Found\n", out);
		return EXPLAIN_NOT_ROUTED;
	}
	print_route(&t, r);
	return EXPLAIN_ROUTED;
}

enum explain_result explain(
        FILE *out, const struct config *c, const struct explain_request *request)
{
	static struct http_head head;
	struct http_scan scan = {0};
	struct url u;
	const char *why;
	size_t len;
	if (!read_url(request->request, &u)) {
		say("--explain '%s': want a URL as in 'GET ws://host/path'", request->request);
		return EXPLAIN_UNUSABLE;
	}
	const struct proxy_listener *l = choose_listener(c, request, &u, &why);
	if (!l)
		return EXPLAIN_UNUSABLE;
	char *text = write_request(request, &u, &len);
	ssize_t used = http_parse_request(&head, &scan, (const uint8_t *)text, len);
	enum explain_result result = EXPLAIN_NOT_ROUTED;
	fprintf(out, "%s at [listener %s]%s\n", request->request, l->name, why);
	if (used > 0) {
		result = search(out, c, l, &head);
	} else {
		enum http_error e = used < 0 ? (enum http_error) - used : HTTP_ERR_SYNTAX;
		fprintf(out, "no route: %u %s, %s\n", http_error_status(e),
		        http_status_text(http_error_status(e)), http_error_reason(e));
	}
	free(text);
	return result;
}
