/* SPDX-License-Identifier: BSD-2-Clause */

/* Variables of the request, and those that are the same for all: time and process. */

#include "http/uri.h"
#include "lua/body.h"
#include "lua/client.h"
#include "lua/ngx.h"
#include "lua/ngx_var.h"
#include "lua/values.h"
#include "lua/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void push_uri(lua_State *L, struct lua_client *c)
{
	uint8_t path[HTTP_TARGET_MAX];
	ssize_t n = uri_normalise_path(lua_client_head(c)->path, path);
	struct slice normal = n > 0 ? slice_of(path, (size_t)n) : lua_client_head(c)->path;
	char plain[HTTP_TARGET_MAX];
	size_t len = 0;
	for (size_t i = 0; i < normal.len; i++) {
		bool is_coded = normal.at[i] == '%' && i + 2 < normal.len;
		char digits[3] = {is_coded ? (char)normal.at[i + 1] : '0',
		        is_coded ? (char)normal.at[i + 2] : '0', '\0'};
		plain[len++] = is_coded ? (char)strtol(digits, NULL, 16) : (char)normal.at[i];
		i += is_coded ? 2 : 0;
	}
	lua_pushlstring(L, plain, len);
}

/* As it came, whatever a script has changed since. */
static struct slice first_head(const struct lua_client *c)
{
	return c->original ? slice_of(c->original, c->original_len)
	                   : slice_of(c->head, c->head_len);
}

/* Of `http://host/path?query` what follows the host, as the oracle has it. */
static struct slice without_host(struct slice target)
{
	const uint8_t *colon = memmem(target.at, target.len, "://", 3);
	if (!colon || target.at[0] == '/')
		return target;
	const uint8_t *path = colon + 3, *end = target.at + target.len;
	while (path < end && *path != '/' && *path != '?')
		path++;
	return path < end ? slice_of(path, (size_t)(end - path)) : SLICE("/");
}

static void push_request_uri(lua_State *L, struct lua_client *c)
{
	struct slice head = first_head(c);
	const uint8_t *at = memchr(head.at, ' ', head.len);
	const uint8_t *end = memchr(at + 1, ' ', head.len - (size_t)(at + 1 - head.at));
	lua_push_slice(L, without_host(slice_of(at + 1, (size_t)(end - at - 1))));
}

static void push_args(lua_State *L, struct lua_client *c)
{
	const struct http_head *h = lua_client_head(c);
	if (h->query.len > 0 || c->is_args_written)
		lua_push_slice(L, h->query);
}

static void push_is_args(lua_State *L, struct lua_client *c)
{
	lua_pushstring(L, lua_client_head(c)->query.len > 0 ? "?" : "");
}

static void push_host(lua_State *L, struct lua_client *c)
{
	const struct http_head *h = lua_client_head(c);
	uint8_t host[URI_HOST_MAX];
	struct slice port;
	size_t n = uri_host(h->authority.len > 0 ? h->authority : h->host, host, &port);
	lua_pushlstring(L, (const char *)host, n);
}

static void push_method(lua_State *L, struct lua_client *c)
{
	lua_push_slice(L, lua_client_head(c)->method);
}

static void push_protocol(lua_State *L, struct lua_client *c)
{
	lua_pushstring(L, c->is_http10 ? "HTTP/1.0" : "HTTP/1.1");
}

static void push_request(lua_State *L, struct lua_client *c)
{
	struct slice head = first_head(c);
	const uint8_t *end = memchr(head.at, '\r', head.len);
	lua_push_slice(L, slice_of(head.at, (size_t)(end - head.at)));
}

static void push_request_length(lua_State *L, struct lua_client *c)
{
	lua_pushfstring(L, "%d", (int)first_head(c).len);
}

/* It has one, be it empty. */
static bool has_body(const struct http_head *h)
{
	bool has = h->framing != HTTP_BODY_NONE;
	for (size_t i = 0; i < h->n && !has; i++)
		has = slice_equal_nocase(h->field[i].name, SLICE("Content-Length"));
	return has;
}

static void push_request_body(lua_State *L, struct lua_client *c)
{
	if (c->body && c->body->is_whole && has_body(lua_client_head(c)))
		lua_pushlstring(L, (const char *)c->body->bytes, c->body->len);
}

static void push_request_id(lua_State *L, struct lua_client *c)
{
	char buf[32];
	struct slice id = handler_request_id(c->session, buf);
	if (id.len > 0)
		lua_push_slice(L, id);
}

static void push_field(lua_State *L, const struct http_head *h, struct slice name)
{
	for (size_t i = 0; i < h->n; i++) {
		if (slice_equal_nocase(h->field[i].name, name)) {
			lua_push_slice(L, h->field[i].value);
			return;
		}
	}
}

static void push_content_length(lua_State *L, struct lua_client *c)
{
	push_field(L, lua_client_head(c), SLICE("Content-Length"));
}

static void push_content_type(lua_State *L, struct lua_client *c)
{
	push_field(L, lua_client_head(c), SLICE("Content-Type"));
}

/* ---- the process ---- */

static void push_time(lua_State *L, const char *format)
{
	char text[64];
	struct tm tm;
	time_t now = time(NULL);
	localtime_r(&now, &tm);
	lua_pushlstring(L, text, strftime(text, sizeof text, format, &tm));
}

static void push_time_iso(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_time(L, "%Y-%m-%dT%H:%M:%S%z");
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);
	lua_pushfstring(L, "%s", text);
	lua_remove(L, -2);
	text = lua_tolstring(L, -1, &len);
	if (len < 2)
		return;
	lua_pushlstring(L, text, len - 2);
	lua_pushliteral(L, ":");
	lua_pushlstring(L, text + len - 2, 2);
	lua_concat(L, 3);
	lua_remove(L, -2);
}

static void push_time_local(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_time(L, "%d/%b/%Y:%H:%M:%S %z");
}

static void push_seconds(lua_State *L, double seconds)
{
	char digits[40];
	snprintf(digits, sizeof digits, "%.3f", seconds);
	lua_pushstring(L, digits);
}

static double wall_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1000;
}

static void push_msec(lua_State *L, struct lua_client *c)
{
	(void)c;
	push_seconds(L, wall_seconds());
}

static void push_request_time(lua_State *L, struct lua_client *c)
{
	double passed = wall_seconds() - (double)c->start_ms / 1000;
	push_seconds(L, passed > 0 ? passed : 0);
}

static void push_pid(lua_State *L, struct lua_client *c)
{
	(void)c;
	lua_pushfstring(L, "%d", (int)gettid());
}

static void push_hostname(lua_State *L, struct lua_client *c)
{
	char name[256] = "";
	(void)c;
	gethostname(name, sizeof name - 1);
	lua_pushstring(L, name);
}

static void push_document_root(lua_State *L, struct lua_client *c)
{
	const char *prefix = lua_handlers_settings(c->vm->set)->prefix;
	lua_pushstring(L, prefix ? prefix : "");
}

static void push_nginx_version(lua_State *L, struct lua_client *c)
{
	(void)c;
	lua_pushstring(L, "1.27.1");
}

static const struct ngx_var variables[] = {
        {"args", .push = push_args},
        {"content_length", .push = push_content_length},
        {"content_type", .push = push_content_type},
        {"document_root", .push = push_document_root},
        {"document_uri", .push = push_uri},
        {"host", .push = push_host},
        {"hostname", .push = push_hostname},
        {"is_args", .push = push_is_args},
        {"msec", .push = push_msec},
        {"nginx_version", .push = push_nginx_version},
        {"pid", .push = push_pid},
        {"query_string", .push = push_args},
        {"request", .push = push_request},
        {"request_body", .push = push_request_body},
        {"request_id", .push = push_request_id},
        {"request_length", .push = push_request_length},
        {"request_method", .push = push_method},
        {"request_time", .push = push_request_time},
        {"request_uri", .push = push_request_uri},
        {"server_protocol", .push = push_protocol},
        {"time_iso8601", .push = push_time_iso},
        {"time_local", .push = push_time_local},
        {"uri", .push = push_uri},
};
const struct ngx_var_table ngx_var_request = {variables, sizeof variables / sizeof variables[0]};
