/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/start.h"

#include "http/chars.h"
#include "http/uri.h"

static const struct slice root = {(const uint8_t *)"/", 1};

int start_check_method(const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = at[i];
		if (c == ' ' && i > 0)
			return (int)i;
		if (c < 0x20 || c >= 0x7f)
			return -HTTP_ERR_NOT_HTTP;
		if (i == HTTP_METHOD_MAX || !char_is(c, CHAR_TOKEN))
			return -HTTP_ERR_METHOD;
	}
	return 0;
}

static bool fits(char form, uint8_t c)
{
	switch (form) {
	case '#':
		return c >= '0' && c <= '9';
	case 'c':
		return c >= '1' && c <= '5';
	case '|':
		return c == ' ' || c == '\r';
	default:
		return c == (uint8_t)form;
	}
}

int start_check_status(const uint8_t *at, size_t len)
{
	static const char form[] = "HTTP/#.# c##|";

	for (size_t i = 0; i < len && form[i]; i++) {
		if (!fits(form[i], at[i]))
			return i < 5 ? -HTTP_ERR_NOT_HTTP : -HTTP_ERR_SYNTAX;
		if (i == 7 && (at[5] != '1' || at[7] > '1'))
			return -HTTP_ERR_VERSION;
	}
	return len >= sizeof(form) - 1;
}

void start_read_status(struct http_head *h, struct slice line)
{
	h->minor = (uint8_t)(line.at[7] - '0');
	h->status = (unsigned)(line.at[9] - '0') * 100 + (unsigned)(line.at[10] - '0') * 10 +
	            (unsigned)(line.at[11] - '0');
	h->reason = line.len > 13 ? slice_of(line.at + 13, line.len - 13)
	                          : slice_of(line.at + line.len, 0);
}

static enum http_error read_version(struct http_head *h, struct slice s)
{
	if (s.len != 8 || memcmp(s.at, "HTTP/", 5) != 0 || s.at[6] != '.')
		return HTTP_ERR_SYNTAX;
	uint8_t major = (uint8_t)(s.at[5] - '0'), minor = (uint8_t)(s.at[7] - '0');
	if (major > 9 || minor > 9)
		return HTTP_ERR_SYNTAX;
	h->minor = minor;
	return major == 1 && minor <= 1 ? HTTP_OK : HTTP_ERR_VERSION;
}

static void split_query(struct http_head *h, struct slice s)
{
	const uint8_t *mark = s.len ? memchr(s.at, '?', s.len) : NULL;

	h->path = s;
	h->query = slice_of(s.at + s.len, 0);
	if (mark) {
		h->path.len = (size_t)(mark - s.at);
		h->query = slice_of(mark + 1, s.len - h->path.len - 1);
	}
}

/* The length of "scheme://" for the schemes that lead here, or 0. */
static size_t scheme_len(struct slice target)
{
	static const struct slice schemes[] = {
	        {(const uint8_t *)"http://", 7},
	        {(const uint8_t *)"https://", 8},
	        {(const uint8_t *)"ws://", 5},
	        {(const uint8_t *)"wss://", 6},
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct slice s = schemes[i];
		if (target.len >= s.len && slice_equal_nocase(slice_of(target.at, s.len), s))
			return s.len;
	}
	return 0;
}

static enum http_error read_absolute(struct http_head *h)
{
	size_t start = scheme_len(h->target), end = start;

	if (start == 0)
		return HTTP_ERR_TARGET;
	while (end < h->target.len && h->target.at[end] != '/' && h->target.at[end] != '?')
		end++;
	h->authority = slice_of(h->target.at + start, end - start);
	if (!uri_is_authority(h->authority))
		return HTTP_ERR_TARGET;
	split_query(h, slice_of(h->target.at + end, h->target.len - end));
	if (h->path.len == 0)
		h->path = root;
	return HTTP_OK;
}

/* The four forms of RFC 9112 3.2. */
static enum http_error read_target(struct http_head *h)
{
	struct slice t = h->target;

	for (size_t i = 0; i < t.len; i++)
		if (!char_is(t.at[i], CHAR_TARGET))
			return HTTP_ERR_TARGET;
	h->path = t;
	h->query = slice_of(t.at + t.len, 0);
	h->authority = slice_of(t.at, 0);
	if (slice_equal(h->method, SLICE("CONNECT")))
		return uri_is_authority(t) ? HTTP_OK : HTTP_ERR_TARGET;
	if (slice_equal(t, SLICE("*")))
		return slice_equal(h->method, SLICE("OPTIONS")) ? HTTP_OK : HTTP_ERR_TARGET;
	if (t.len > 0 && t.at[0] == '/') {
		split_query(h, t);
		return HTTP_OK;
	}
	return read_absolute(h);
}

enum http_error start_read_request(struct http_head *h, struct slice line, size_t method_len)
{
	const uint8_t *target = line.at + method_len + 1, *end = line.at + line.len;
	const uint8_t *space = target < end ? memrchr(target, ' ', (size_t)(end - target)) : NULL;

	if (!space)
		return HTTP_ERR_SYNTAX;
	h->method = slice_of(line.at, method_len);
	h->target = slice_of(target, (size_t)(space - target));
	enum http_error e = read_version(h, slice_of(space + 1, (size_t)(end - space - 1)));
	return e != HTTP_OK ? e : read_target(h);
}
