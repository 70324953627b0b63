/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/meaning.h"

#include "http/uri.h"

static enum http_error read_host(struct http_head *h)
{
	const struct http_field *f = http_find(h, HTTP_HOST);

	h->host = slice_of(h->target.at, 0);
	if (!f)
		return h->minor == 0 ? HTTP_OK : HTTP_ERR_HOST;
	h->host = f->value;
	return http_count(h, HTTP_HOST) == 1 && uri_is_authority(f->value) ? HTTP_OK
	                                                                   : HTTP_ERR_HOST;
}

/* Marks the fields that a member of Connection names. Host always passes: taking
 * it away would let a client choose what the next hop takes for its host. */
static void mark_named(struct http_head *h, struct slice name)
{
	for (size_t i = 0; i < h->n; i++) {
		struct http_field *f = &h->field[i];
		if (f->name.len == name.len && f->id != HTTP_HOST &&
		        slice_equal_nocase(f->name, name))
			f->named = true;
	}
}

struct options {
	bool close, keep_alive;
	unsigned others;
};

static void read_option(struct http_head *h, struct slice member, struct options *o)
{
	if (slice_equal_nocase(member, SLICE("upgrade")))
		return;
	if (slice_equal_nocase(member, SLICE("close")))
		o->close = true;
	else if (slice_equal_nocase(member, SLICE("keep-alive")))
		o->keep_alive = true;
	else if (++o->others <= HTTP_OPTIONS_MAX)
		mark_named(h, member);
}

/* RFC 9112 9.3. The members are few, or the product of members and fields would
 * be the peer's to choose. */
static enum http_error read_connection(struct http_head *h)
{
	struct options o = {false, false, 0};
	struct slice rest, member;

	if (http_find(h, HTTP_CONNECTION)) {
		for (size_t i = 0; i < h->n; i++) {
			if (h->field[i].id != HTTP_CONNECTION)
				continue;
			rest = h->field[i].value;
			while (http_list_next(&rest, &member))
				read_option(h, member, &o);
		}
	}
	h->keep_alive = !o.close && (h->minor > 0 || o.keep_alive);
	return o.others > HTTP_OPTIONS_MAX ? HTTP_ERR_SYNTAX : HTTP_OK;
}

/* 1*DIGIT of at most 2^63-1 and nothing else: a list, a sign or a space is where
 * two parsers begin to differ. */
static bool read_length(struct slice s, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)s.at[i] - '0';
		if (digit > 9 || n > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return s.len > 0;
}

/* RFC 9112 6.3, without its leniencies. Without a length or a coding the framing
 * becomes `otherwise`. */
static enum http_error read_framing(struct http_head *h, enum http_framing otherwise)
{
	const struct http_field *length = http_find(h, HTTP_CONTENT_LENGTH);
	const struct http_field *coding = http_find(h, HTTP_TRANSFER_ENCODING);

	h->framing = otherwise;
	h->content_length = 0;
	if (coding) {
		if (length || h->minor == 0 || http_count(h, HTTP_TRANSFER_ENCODING) > 1 ||
		        !slice_equal_nocase(coding->value, SLICE("chunked")))
			return HTTP_ERR_LENGTH;
		h->framing = HTTP_BODY_CHUNKED;
	}
	if (length) {
		if (http_count(h, HTTP_CONTENT_LENGTH) > 1 ||
		        !read_length(length->value, &h->content_length))
			return HTTP_ERR_LENGTH;
		h->framing = HTTP_BODY_LENGTH;
	}
	return HTTP_OK;
}

enum http_error meaning_of_request(struct http_head *h)
{
	enum http_error e = read_host(h);
	const struct http_field *expect = http_find(h, HTTP_EXPECT);

	if (e == HTTP_OK)
		e = read_framing(h, HTTP_BODY_NONE);
	if (e == HTTP_OK)
		e = read_connection(h);
	h->expects_continue =
	        expect && h->minor > 0 && slice_equal_nocase(expect->value, SLICE("100-continue"));
	return e;
}

enum http_error meaning_of_response(struct http_head *h)
{
	enum http_error e = read_framing(h, HTTP_BODY_UNTIL_CLOSE);

	if (e == HTTP_OK)
		e = read_connection(h);
	if (h->status < 200 || h->status == 204 || h->status == 304)
		h->framing = HTTP_BODY_NONE;
	if (h->framing == HTTP_BODY_UNTIL_CLOSE)
		h->keep_alive = false;
	h->expects_continue = false;
	return e;
}
