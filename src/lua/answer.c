/* SPDX-License-Identifier: BSD-2-Clause */

/* The answer that a script makes: its headers, how its body is framed, pages for statuses. */

#include "base/mem.h"
#include "http/writer.h"
#include "lua/client.h"
#include "ws/frame.h"

#include <stdio.h>

/* Fields one behind the other in one allocation, each: the lengths, the name, the value. They last
 * as long as the connection, so they are small. */
struct lengths {
	uint16_t name, value;
};

struct lua_answer {
	uint32_t len, size;
	uint32_t n;
	char bytes[];
};

struct field {
	struct slice name, value;
	size_t len; /* of all of it */
};

/* The whole head, our own lines included, is one that can be read: the route's rules do that. */
enum {
	HEAD_MAX = HTTP_HEAD_MAX + 2048,
	SIZE_FIRST = 80, /* what a 101 has */
	OWN_LINES = 4,
	FIELDS_MAX = HTTP_LINES_MAX - OWN_LINES,
	ANSWER_MAX = HTTP_HEAD_MAX - 1024,
	BETWEEN = 2, /* `: ` */
};

/* ---- headers ---- */

static struct field field_at(const struct lua_answer *a, size_t at)
{
	struct lengths l;
	memcpy(&l, a->bytes + at, sizeof l);
	const char *name = a->bytes + at + sizeof l;
	return (struct field){slice_of(name, l.name), slice_of(name + l.name, l.value),
	        sizeof l + l.name + l.value};
}

/* What would break the head, or mean something else than the script thought, is percent-encoded. */
static bool must_escape(uint8_t c, bool is_name)
{
	if (is_name)
		return !http_is_token(slice_of(&c, 1));
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

static size_t escaped_len(struct slice v, bool is_name)
{
	size_t n = v.len;
	for (size_t i = 0; i < v.len; i++)
		n += must_escape(v.at[i], is_name) ? 2 : 0;
	return n;
}

static size_t put_escaped(char *to, struct slice v, bool is_name)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.at[i];
		if (must_escape(c, is_name)) {
			to[n++] = '%';
			to[n++] = hex[c >> 4];
			to[n++] = hex[c & 15];
		} else {
			to[n++] = (char)c;
		}
	}
	return n;
}

size_t lua_header_escape(char out[3], uint8_t byte)
{
	return put_escaped(out, slice_of(&byte, 1), false);
}

/* Room for so many bytes more. */
static bool reserve(struct lua_client *c, size_t more)
{
	struct lua_answer *old = c->answer;
	size_t len = old ? old->len : 0, size = old ? old->size : SIZE_FIRST;
	if (old && more <= size - len)
		return true;
	while (size < len + more)
		size *= 2;
	struct lua_answer *a = mem_try(sizeof *a + size);
	if (!a)
		return false;
	*a = (struct lua_answer){
	        .len = (uint32_t)len, .size = (uint32_t)size, .n = old ? old->n : 0};
	if (len > 0)
		memcpy(a->bytes, old->bytes, len);
	mem_free(old);
	c->answer = a;
	return true;
}

bool lua_answer_add(struct lua_client *c, struct slice name, struct slice value)
{
	size_t n = escaped_len(name, true), v = escaped_len(value, false);
	size_t used = c->answer ? c->answer->len : 0;
	if (n == 0 || n + BETWEEN + v > HTTP_LINE_MAX || used + n + v > ANSWER_MAX ||
	        (c->answer && c->answer->n == FIELDS_MAX) ||
	        !reserve(c, sizeof(struct lengths) + n + v))
		return false;
	struct lua_answer *a = c->answer;
	struct lengths l = {(uint16_t)n, (uint16_t)v};
	memcpy(a->bytes + a->len, &l, sizeof l);
	a->len += (uint32_t)sizeof l;
	a->len += (uint32_t)put_escaped(a->bytes + a->len, name, true);
	a->len += (uint32_t)put_escaped(a->bytes + a->len, value, false);
	a->n++;
	return true;
}

void lua_answer_remove(struct lua_client *c, struct slice name)
{
	struct lua_answer *a = c->answer;
	size_t at = 0;
	while (a && at < a->len) {
		struct field f = field_at(a, at);
		if (!slice_equal_nocase(f.name, name)) {
			at += f.len;
			continue;
		}
		memmove(a->bytes + at, a->bytes + at + f.len, a->len - at - f.len);
		a->len -= (uint32_t)f.len;
		a->n--;
	}
}

bool lua_answer_get(const struct lua_client *c, struct slice name, size_t i, struct slice *found,
        struct slice *value)
{
	const struct lua_answer *a = c->answer;
	struct field f;
	for (size_t at = 0; a && at < a->len; at += f.len) {
		f = field_at(a, at);
		if ((name.len > 0 && !slice_equal_nocase(f.name, name)) || i-- > 0)
			continue;
		*found = f.name;
		*value = f.value;
		return true;
	}
	return false;
}

void lua_answer_clear(struct lua_client *c)
{
	mem_free(c->answer);
	c->answer = NULL;
}

static bool has(const struct lua_client *c, struct slice name, struct slice *value)
{
	struct slice found;
	return lua_answer_get(c, name, 0, &found, value);
}

/* ---- the head ---- */

static bool has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* These are decided here, whatever the script says. */
static bool is_ours(struct slice name)
{
	static const char *const names[] = {"connection", "transfer-encoding", "keep-alive"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_equal_nocase(slice_str(names[i]), name))
			return true;
	return false;
}

static bool parse_length(struct slice v, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (v.at[i] < '0' || v.at[i] > '9' || *out > UINT64_MAX / 10 - 9)
			return false;
		*out = *out * 10 + (uint64_t)(v.at[i] - '0');
	}
	return v.len > 0;
}

static void decide_framing(struct lua_client *c, unsigned status)
{
	struct slice v;
	if (has(c, SLICE("Content-Length"), &v)) {
		c->is_length_known = parse_length(v, &c->length_left);
		if (!c->is_length_known)
			lua_answer_remove(c, SLICE("Content-Length"));
	}
	if (has(c, SLICE("Connection"), &v) && slice_equal_nocase(v, SLICE("close")))
		c->may_keep_alive = false;
	c->is_chunked = has_body(status) && !c->is_head && !c->is_length_known && !c->is_http10;
	if (has_body(status) && !c->is_length_known && c->is_http10 && !c->is_head)
		c->may_keep_alive = false;
}

static void put_fields(const struct lua_client *c, struct http_writer *w, bool is_upgrade)
{
	struct slice name, value;
	for (size_t i = 0; lua_answer_get(c, SLICE(""), i, &name, &value); i++)
		if (!is_ours(name) && (is_upgrade || !slice_equal_nocase(name, SLICE("Upgrade"))))
			http_put_field(w, name, value);
}

static bool has_default_type(const struct lua_client *c, unsigned status)
{
	struct slice v;
	return has_body(status) && !c->is_untyped && !has(c, SLICE("Content-Type"), &v);
}

bool lua_client_has_default_type(const struct lua_client *c)
{
	return has_default_type(c, c->answered);
}

/* The fields that are there without the script, of an answer with this status. */
static size_t own_fields(const struct lua_client *c, unsigned status,
        struct lua_answer_field own[LUA_ANSWER_OWN_MAX])
{
	size_t n = 0;
	if (has_default_type(c, status))
		own[n++] = (struct lua_answer_field){SLICE("Content-Type"), SLICE("text/plain")};
	if (c->is_chunked)
		own[n++] = (struct lua_answer_field){SLICE("Transfer-Encoding"), SLICE("chunked")};
	own[n++] = (struct lua_answer_field){SLICE("Connection"), status == 101 ? SLICE("upgrade")
	                                                          : c->may_keep_alive
	                                                                  ? SLICE("keep-alive")
	                                                                  : SLICE("close")};
	return n;
}

size_t lua_answer_own(const struct lua_client *c, struct lua_answer_field own[LUA_ANSWER_OWN_MAX])
{
	struct slice v;
	bool is_over = c->is_raw || !c->request || c->request->phase == LUA_PHASE_LOG;
	bool has_no_head = is_over && c->answered == 0;
	size_t n = has_no_head ? 0 : own_fields(c, c->answered, own), kept = 0;
	for (size_t i = 0; i < n; i++)
		if (!has(c, own[i].name, &v))
			own[kept++] = own[i];
	return kept;
}

static void put_head(struct lua_client *c, struct http_writer *w, unsigned status)
{
	struct lua_answer_field own[LUA_ANSWER_OWN_MAX];
	size_t n = own_fields(c, status, own);
	http_put_status(w, status);
	for (size_t i = 0; i < n; i++)
		http_put_field(w, own[i].name, own[i].value);
	put_fields(c, w, status == 101 || status == 426);
	http_put_end(w);
}

bool lua_client_send_head(struct lua_client *c)
{
	uint8_t buf[HEAD_MAX];
	struct http_writer w;
	unsigned status = c->status ? c->status : 200;
	if (c->answer_state != LUA_ANSWER_NONE)
		return true;
	if (!c->session)
		return false;
	decide_framing(c, status);
	http_writer_init(&w, buf, sizeof buf);
	put_head(c, &w, status);
	if (w.overflow)
		return false;
	handler_edit_head(c->session, &w, lua_client_head(c));
	struct slice v = slice_of(buf, w.len);
	c->answer_state = LUA_ANSWER_HEAD_SENT;
	c->answered = (uint16_t)status;
	c->is_upgraded = status == 101;
	if (c->is_upgraded)
		c->may_keep_alive = false;
	handler_answered(c->session, status);
	return lua_output_put(&c->out, &v, 1);
}

/* ---- the body ---- */

static size_t length_of(const struct slice *v, size_t n)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += v[i].len;
	return len;
}

enum { PIECES_MAX = 60 };

static bool put_chunk(struct lua_client *c, const struct slice *v, size_t n, size_t len)
{
	struct slice piece[PIECES_MAX + 2];
	char line[24];
	piece[0] = slice_of(line, (size_t)snprintf(line, sizeof line, "%zx\r\n", len));
	memcpy(piece + 1, v, n * sizeof v[0]);
	piece[n + 1] = SLICE("\r\n");
	return lua_output_put(&c->out, piece, n + 2);
}

/* More than the script's own Content-Length is not for this answer. */
static bool put_counted(struct lua_client *c, const struct slice *v, size_t n, size_t len)
{
	if (len > c->length_left) {
		c->is_failed = true;
		c->may_keep_alive = false;
	}
	c->length_left -= len < c->length_left ? len : c->length_left;
	return lua_output_put(&c->out, v, n);
}

bool lua_client_send_body(struct lua_client *c, const struct slice *v, size_t n)
{
	size_t len = length_of(v, n);
	if (!lua_client_send_head(c))
		return false;
	if (len == 0 || c->is_head || !has_body(c->answered))
		return true;
	if (c->is_chunked)
		return put_chunk(c, v, n, len);
	if (c->is_length_known)
		return put_counted(c, v, n, len);
	return lua_output_put(&c->out, v, n);
}

bool lua_client_send_end(struct lua_client *c)
{
	struct slice last = SLICE("0\r\n\r\n");
	if (c->answer_state == LUA_ANSWER_ENDED)
		return true;
	if (c->answer_state == LUA_ANSWER_NONE && has_body(c->status ? c->status : 200) &&
	        !c->is_length_known) {
		struct slice v;
		if (!has(c, SLICE("Content-Length"), &v))
			lua_answer_add(c, SLICE("Content-Length"), SLICE("0"));
	}
	if (!lua_client_send_head(c))
		return false;
	c->answer_state = LUA_ANSWER_ENDED;
	if (c->is_length_known && c->length_left > 0 && !c->is_head && has_body(c->answered))
		c->is_failed = true;
	return !c->is_chunked || lua_output_put(&c->out, &last, 1);
}

bool lua_client_send_page(struct lua_client *c, unsigned status)
{
	char page[400];
	const char *text = http_status_text(status);
	size_t len = 0;
	c->status = (uint16_t)status;
	lua_answer_remove(c, SLICE("Content-Length"));
	lua_answer_remove(c, SLICE("Content-Encoding"));
	if (status >= 300 && has_body(status)) {
		len = (size_t)snprintf(page, sizeof page,
		        "<html>\r\n<head><title>%u %s</title></head>\r\n<body>\r\n"
		        "<center><h1>%u %s</h1></center>\r\n</body>\r\n</html>\r\n",
		        status, text, status, text);
		lua_answer_remove(c, SLICE("Content-Type"));
		lua_answer_add(c, SLICE("Content-Type"), SLICE("text/html"));
	}
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%zu", len);
	if (has_body(status))
		lua_answer_add(c, SLICE("Content-Length"), slice_of(digits, (size_t)n));
	struct slice v = slice_of(page, len);
	return lua_client_send_body(c, &v, 1) && lua_client_send_end(c);
}

/* ---- without HTTP ---- */

bool lua_client_send_raw(struct lua_client *c, const struct slice *v, size_t n)
{
	if (c->is_close_sent)
		return true; /* nothing may follow, and the script need not know */
	return lua_output_put(&c->out, v, n);
}

void lua_client_send_close(struct lua_client *c, uint16_t code, const char *reason)
{
	uint8_t frame[WS_CONTROL_FRAME_MAX];
	if (!c->is_websocket || c->is_close_sent || c->has_closed || c->is_mid_frame || !c->session)
		return;
	struct slice v = slice_of(frame, ws_close_write(frame, code, reason, false));
	lua_client_send_raw(c, &v, 1);
	c->is_close_sent = true;
	handler_close_sent(c->session, code);
}

const char *lua_client_take_raw(struct lua_client *c)
{
	if (c->is_raw)
		return "duplicate call";
	if (c->has_body_socket)
		return "duplicate call";
	if (c->request && c->body && !c->is_body_done)
		return "pending request body reading in some other thread";
	if (c->is_http10 && c->answer_state != LUA_ANSWER_NONE)
		return "http 1.0 buffering";
	if (c->answer_state == LUA_ANSWER_NONE)
		c->answer_state = LUA_ANSWER_HEAD_SENT;
	c->is_raw = true;
	c->may_keep_alive = false;
	return NULL;
}
