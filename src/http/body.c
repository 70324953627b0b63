/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/body.h"

#include "http/chars.h"

/* What the next byte of a chunked body (RFC 9112 7.1) is. */
enum state {
	SIZE_FIRST, /* the first digit of a size */
	SIZE,       /* another, or what follows it */
	EXT_SPACE,  /* blanks before the ';' of an extension */
	EXT,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST, /* of a trailer line, or the CR of the empty one */
	TRAILER_NAME,
	TRAILER,
	TRAILER_LF,
	END_LF,
	BROKEN,
};

void http_body_init(struct http_body *b, const struct http_head *h)
{
	*b = (struct http_body){.framing = (uint8_t)h->framing, .state = SIZE_FIRST};
	if (h->framing == HTTP_BODY_LENGTH)
		b->left = h->content_length;
	b->done = h->framing == HTTP_BODY_NONE || (h->framing == HTTP_BODY_LENGTH && b->left == 0);
}

static bool is_text(uint8_t c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static enum state add_digit(struct http_body *b, uint8_t c)
{
	int digit = char_hex(c);

	if (digit < 0 || b->left > (uint64_t)INT64_MAX >> 4)
		return BROKEN;
	b->left = b->left << 4 | (unsigned)digit;
	return SIZE;
}

static enum state after_digit(struct http_body *b, uint8_t c)
{
	switch (c) {
	case '\r':
		return SIZE_LF;
	case ';':
		return EXT;
	case ' ':
	case '\t':
		return EXT_SPACE;
	default:
		return add_digit(b, c);
	}
}

/* What follows a byte of the framing. */
static enum state step(struct http_body *b, uint8_t c)
{
	switch ((enum state)b->state) {
	case SIZE_FIRST:
		b->left = 0;
		b->line = 0;
		return add_digit(b, c);
	case SIZE:
		return after_digit(b, c);
	case EXT_SPACE:
		return c == ';' ? EXT : c == ' ' || c == '\t' ? EXT_SPACE : BROKEN;
	case EXT:
		return c == '\r' ? SIZE_LF : is_text(c) ? EXT : BROKEN;
	case SIZE_LF:
		return c != '\n' ? BROKEN : b->left > 0 ? DATA : TRAILER_FIRST;
	case DATA_CR:
		return c == '\r' ? DATA_LF : BROKEN;
	case DATA_LF:
		return c == '\n' ? SIZE_FIRST : BROKEN;
	case TRAILER_FIRST:
		return c == '\r' ? END_LF : char_is(c, CHAR_TOKEN) ? TRAILER_NAME : BROKEN;
	case TRAILER_NAME:
		return c == ':' ? TRAILER : char_is(c, CHAR_TOKEN) ? TRAILER_NAME : BROKEN;
	case TRAILER:
		return c == '\r' ? TRAILER_LF : is_text(c) ? TRAILER : BROKEN;
	case TRAILER_LF:
		return c == '\n' ? TRAILER_FIRST : BROKEN;
	case END_LF:
		b->done = c == '\n';
		return b->done ? END_LF : BROKEN;
	default:
		return BROKEN;
	}
}

/* Neither a chunk's line nor the trailer may be endless. */
static bool is_within_limits(struct http_body *b)
{
	if (b->state <= SIZE_LF)
		return b->line++ < HTTP_CHUNK_LINE_MAX;
	if (b->state >= TRAILER_FIRST)
		return b->trailer++ < HTTP_TRAILER_MAX;
	return true;
}

static size_t take_content(
        struct http_body *b, const uint8_t *at, size_t len, struct slice *content)
{
	size_t n = len < b->left ? len : (size_t)b->left;

	*content = slice_of(at, n);
	b->left -= n;
	return n;
}

static ssize_t read_chunked(
        struct http_body *b, const uint8_t *buf, size_t len, struct slice *content)
{
	size_t i = 0;

	while (i < len && !b->done) {
		if (b->state == DATA) {
			i += take_content(b, buf + i, len - i, content);
			if (b->left == 0)
				b->state = DATA_CR;
			return (ssize_t)i;
		}
		b->state = (uint8_t)step(b, buf[i++]);
		if (b->state == BROKEN || !is_within_limits(b)) {
			b->state = BROKEN;
			return -1;
		}
	}
	return (ssize_t)i;
}

ssize_t http_body_read(struct http_body *b, const uint8_t *buf, size_t len, struct slice *content)
{
	*content = slice_of(buf, 0);
	if (len == 0 || b->done)
		return 0;
	if (b->framing == HTTP_BODY_CHUNKED)
		return read_chunked(b, buf, len, content);
	if (b->framing == HTTP_BODY_UNTIL_CLOSE) {
		*content = slice_of(buf, len);
		return (ssize_t)len;
	}
	size_t n = take_content(b, buf, len, content);
	b->done = b->left == 0;
	return (ssize_t)n;
}

bool http_body_end(const struct http_body *b)
{
	return b->done || b->framing == HTTP_BODY_UNTIL_CLOSE;
}
