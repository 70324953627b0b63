/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/cookie.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct slice trimmed(const uint8_t *from, const uint8_t *to)
{
	while (from < to && is_blank(*from))
		from++;
	while (from < to && is_blank(to[-1]))
		to--;
	return slice_of(from, (size_t)(to - from));
}

static struct slice unquoted(struct slice v)
{
	if (v.len >= 2 && v.at[0] == '"' && v.at[v.len - 1] == '"')
		return slice_of(v.at + 1, v.len - 2);
	return v;
}

/* Cuts the first pair off a line. False when it is no cookie of that name. */
static bool take_pair(struct slice *rest, struct slice name, struct slice *value)
{
	const uint8_t *at = rest->at, *end = at + rest->len;
	const uint8_t *stop = memchr(at, ';', rest->len);
	if (!stop)
		stop = end;
	const uint8_t *equals = memchr(at, '=', (size_t)(stop - at));
	*rest = stop < end ? slice_of(stop + 1, (size_t)(end - stop) - 1) : SLICE("");
	if (!equals || !slice_equal(trimmed(at, equals), name))
		return false;
	*value = unquoted(trimmed(equals + 1, stop));
	return true;
}

bool http_cookie_next(
        const struct http_head *h, struct http_cookies *at, struct slice name, struct slice *value)
{
	for (;;) {
		while (at->rest.len > 0)
			if (take_pair(&at->rest, name, value))
				return true;
		while (at->field < h->n &&
		        !slice_equal_nocase(h->field[at->field].name, SLICE("Cookie")))
			at->field++;
		if (at->field == h->n)
			return false;
		at->rest = h->field[at->field++].value;
	}
}
