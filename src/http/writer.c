/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/writer.h"

#include "base/digits.h"

/* Room for `len` bytes, or NULL. */
static uint8_t *reserve(struct http_writer *w, size_t len)
{
	if (w->overflow || len > w->size - w->len) {
		w->overflow = true;
		return NULL;
	}
	uint8_t *at = w->buf + w->len;
	w->len += len;
	return at;
}

static uint8_t *copy(uint8_t *to, struct slice s)
{
	if (s.len > 0)
		memcpy(to, s.at, s.len);
	return to + s.len;
}

void http_put(struct http_writer *w, struct slice bytes)
{
	uint8_t *at = reserve(w, bytes.len);

	if (at)
		copy(at, bytes);
}

void http_put_code(struct http_writer *w, unsigned status)
{
	char digits[] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
	        (char)('0' + status % 10)};

	http_put(w, slice_of(digits, sizeof(digits)));
}

void http_put_status(struct http_writer *w, unsigned status)
{
	http_put(w, SLICE("HTTP/1.1 "));
	http_put_code(w, status);
	http_put(w, SLICE(" "));
	http_put(w, slice_str(http_status_text(status)));
	http_put_end(w);
}

void http_put_field(struct http_writer *w, struct slice name, struct slice value)
{
	uint8_t *at = reserve(w, name.len + value.len + 4);

	if (!at)
		return;
	at = copy(at, name);
	at = copy(at, SLICE(": "));
	at = copy(at, value);
	copy(at, SLICE("\r\n"));
}

static struct slice in_digits(char digits[DIGITS_MAX], uint64_t value)
{
	return slice_of(digits, (size_t)(digits_put(digits, value) - digits));
}

void http_put_digits(struct http_writer *w, uint64_t value)
{
	char digits[DIGITS_MAX];

	http_put(w, in_digits(digits, value));
}

void http_put_number(struct http_writer *w, struct slice name, uint64_t value)
{
	char digits[DIGITS_MAX];

	http_put_field(w, name, in_digits(digits, value));
}

void http_put_end(struct http_writer *w)
{
	http_put(w, SLICE("\r\n"));
}

static const struct {
	unsigned status;
	const char *text;
} texts[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
        {511, "Network Authentication Required"},
};

const char *http_status_text(unsigned status)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "";
}

static bool starts_with_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_equal_nocase(slice_of(s.at, prefix.len), prefix);
}

bool http_is_hop_by_hop(const struct http_field *f)
{
	switch (f->id) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_AUTHENTICATE:
	case HTTP_PROXY_AUTHORIZATION:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_UPGRADE:
		return true;
	case HTTP_OTHER:
		return f->named || starts_with_nocase(f->name, SLICE("Proxy-"));
	default:
		return f->named;
	}
}
