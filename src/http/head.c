/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/head.h"

#include "http/chars.h"
#include "http/find.h"
#include "http/meaning.h"
#include "http/start.h"

#include <assert.h>

static const struct {
	unsigned status;
	const char *reason;
} errors[] = {
        [HTTP_OK] = {200, "no error"},
        [HTTP_ERR_SYNTAX] = {400, "malformed head"},
        [HTTP_ERR_HOST] = {400, "missing, repeated or bad Host"},
        [HTTP_ERR_LENGTH] = {400, "bad Content-Length or Transfer-Encoding"},
        [HTTP_ERR_TARGET] = {400, "bad request target"},
        [HTTP_ERR_METHOD] = {400, "bad method"},
        [HTTP_ERR_VERSION] = {505, "HTTP version not supported"},
        [HTTP_ERR_TARGET_SIZE] = {414, "request target too long"},
        [HTTP_ERR_LINE_SIZE] = {431, "header line too long"},
        [HTTP_ERR_LINES] = {431, "too many header lines"},
        [HTTP_ERR_HEAD_SIZE] = {431, "head too large"},
        [HTTP_ERR_NOT_HTTP] = {400, "not HTTP"},
};

unsigned http_error_status(enum http_error error)
{
	return errors[error].status;
}

const char *http_error_reason(enum http_error error)
{
	return errors[error].reason;
}

/* Looks for the end of the line at s->line_start, which may have `max` bytes.
 * Returns 1 with s->at on its CR, 0 when it is not there yet, or -HTTP_ERR_*. */
static int find_line_end(
        struct http_scan *s, const uint8_t *buf, size_t len, size_t max, enum http_error too_long)
{
	size_t last = s->line_start + max + 1;
	size_t stop = last < len ? last : len;

	s->at = (uint32_t)(http_find_control(buf + s->at, buf + stop) - buf);
	if (s->at == stop)
		return stop == last ? -(int)too_long : 0;
	if (buf[s->at] != '\r')
		return -HTTP_ERR_SYNTAX;
	if (s->at + 1 == len)
		return 0;
	return buf[s->at + 1] == '\n' ? 1 : -HTTP_ERR_SYNTAX;
}

static void begin_fields(struct http_scan *s)
{
	s->fields_at = s->line_start = s->at = s->at + 2;
}

/* Whether the control byte at `at` is one of the target's, and no line end. */
static bool is_in_target(const uint8_t *target, const uint8_t *at)
{
	return *at != '\r' && *at != '\n' && !memchr(target, ' ', (size_t)(at - target));
}

static int request_line(struct http_head *h, struct http_scan *s, const uint8_t *buf, size_t len)
{
	if (s->line_start == 0 && len > 0 && buf[0] == '\r') {
		if (len < 2)
			return 0;
		if (buf[1] != '\n')
			return -HTTP_ERR_NOT_HTTP;
		s->line_start = s->at = 2;
	}
	const uint8_t *line = buf + s->line_start;
	int method = start_check_method(line, len - s->line_start);
	if (method <= 0)
		return method;
	size_t max = (size_t)method + 1 + HTTP_TARGET_MAX + sizeof(" HTTP/1.1") - 1;
	int r = find_line_end(s, buf, len, max, HTTP_ERR_TARGET_SIZE);
	if (r == -HTTP_ERR_SYNTAX && is_in_target(line + method + 1, buf + s->at))
		return -HTTP_ERR_TARGET;
	if (r <= 0)
		return r;
	enum http_error e =
	        start_read_request(h, slice_of(line, (size_t)(buf + s->at - line)), (size_t)method);
	if (e != HTTP_OK)
		return -(int)e;
	begin_fields(s);
	return 1;
}

static int status_line(struct http_head *h, struct http_scan *s, const uint8_t *buf, size_t len)
{
	int r = start_check_status(buf, len);

	if (r > 0)
		r = find_line_end(s, buf, len, HTTP_LINE_MAX, HTTP_ERR_LINE_SIZE);
	if (r <= 0)
		return r;
	start_read_status(h, slice_of(buf, s->at));
	begin_fields(s);
	return 1;
}

/* Returns 1 with s->at on the empty line, where a repeated call finds it again. */
static int header_lines(struct http_scan *s, const uint8_t *buf, size_t len)
{
	for (;;) {
		uint32_t start = s->line_start;
		if (s->lines == HTTP_LINES_MAX && start < len && buf[start] != '\r')
			return -HTTP_ERR_LINES;
		int r = find_line_end(s, buf, len, HTTP_LINE_MAX, HTTP_ERR_LINE_SIZE);
		if (r <= 0)
			return r;
		if (s->at == start)
			return 1;
		s->line_start = s->at = s->at + 2;
		s->lines++;
	}
}

static struct slice trim(const uint8_t *at, const uint8_t *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return slice_of(at, (size_t)(end - at));
}

/* One header line, without its CRLF. Its bytes are free of other controls. */
static bool read_field(struct http_field *f, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *colon = at;
	unsigned classes = 0;

	for (; colon < end && char_is(*colon, CHAR_TOKEN); colon++)
		classes |= http_chars[*colon];
	if (colon == at || colon == end || *colon != ':')
		return false;
	f->name = slice_of(at, (size_t)(colon - at));
	f->value = trim(colon + 1, end);
	f->id = http_name_of(f->name);
	f->lax = classes & CHAR_LAX;
	f->named = false;
	return true;
}

/* The scan has made sure that the lines from `at` end with an empty one, all
 * with CRLF, and are not too many. */
static bool read_fields(struct http_head *h, const uint8_t *at, const uint8_t *end)
{
	h->n = 0;
	h->seen = 0;
	while (*at != '\r') {
		const uint8_t *cr = memchr(at, '\r', (size_t)(end - at));
		assert(cr && h->n < HTTP_LINES_MAX);
		struct http_field *f = &h->field[h->n];
		if (!read_field(f, at, cr))
			return false;
		h->seen |= 1u << f->id;
		h->n++;
		at = cr + 2;
	}
	return true;
}

typedef int (*first_line_fn)(struct http_head *, struct http_scan *, const uint8_t *, size_t);
typedef enum http_error (*meaning_fn)(struct http_head *);

static ssize_t parse(struct http_head *h, struct http_scan *s, const uint8_t *buf, size_t len,
        first_line_fn first_line, meaning_fn meaning)
{
	size_t cap = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	bool resumed = s->fields_at > 0;
	int r = 1;

	if (len == 0)
		return 0;
	if (!resumed)
		r = first_line(h, s, buf, cap);
	if (r > 0)
		r = header_lines(s, buf, cap);
	if (r <= 0)
		return r == 0 && cap == HTTP_HEAD_MAX ? -HTTP_ERR_HEAD_SIZE : r;
	if (resumed) {
		/* h has served other heads since the first line was judged. */
		struct http_scan again = {0};
		first_line(h, &again, buf, s->fields_at);
	}
	if (!read_fields(h, buf + s->fields_at, buf + s->at + 2))
		return -HTTP_ERR_SYNTAX;
	enum http_error e = meaning(h);
	return e == HTTP_OK ? (ssize_t)s->at + 2 : -(ssize_t)e;
}

ssize_t http_parse_request(struct http_head *h, struct http_scan *s, const uint8_t *buf, size_t len)
{
	h->status = 0;
	h->reason = slice_of(buf, 0);
	return parse(h, s, buf, len, request_line, meaning_of_request);
}

ssize_t http_parse_response(
        struct http_head *h, struct http_scan *s, const uint8_t *buf, size_t len)
{
	h->method = h->target = h->path = h->query = h->authority = h->host = slice_of(buf, 0);
	return parse(h, s, buf, len, status_line, meaning_of_response);
}
