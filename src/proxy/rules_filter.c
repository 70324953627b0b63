/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/rules.h"

#include "proxy/rules_name.h"
#include "proxy/rules_private.h"

bool rules_is_forwarding(struct slice name)
{
	switch (name.len > 0 ? ascii_lower(name.at[0]) : 0) {
	case 'f':
		return rules_name_is_alias(name, SLICE("forwarded"));
	case 'x':
		return rules_name_begins_like(name, SLICE("x-forwarded-")) ||
		       rules_name_is_alias(name, SLICE("x-real-ip"));
	default:
		return false;
	}
}

bool rules_drops(const struct rules *r, const struct http_field *f)
{
	if (!(r->drop_lens >> f->name.len % 64 & 1))
		return false;
	for (size_t i = 0; i < r->drop_n; i++)
		if (f->name.len == r->drop[i].len && (f->lax || !r->drop[i].aliases_only) &&
		        rules_name_is_alias(f->name, slice_of(r->drop[i].name, r->drop[i].len)))
			return true;
	return false;
}

/* Of the fields that a trusted proxy wrote, those pass that are not written anew. */
static bool is_believed(const struct rules *r, struct slice name)
{
	if (slice_equal_nocase(name, SLICE("X-Forwarded-For")))
		return false;
	if (!slice_equal_nocase(name, SLICE("Forwarded")))
		return true;
	for (size_t i = 0; i < r->line_n; i++)
		if (slice_equal(slice_str(r->line[i].name), SLICE("Forwarded")))
			return false;
	return true;
}

static bool stays_behind(const struct rules *r, const struct http_field *f, bool believed)
{
	if (rules_drops(r, f))
		return true;
	if (r->side == RULES_RESPONSE)
		return false;
	if (rules_is_forwarding(f->name))
		return f->lax || !believed || !is_believed(r, f->name);
	return f->lax && (rules_name_meant(f->name) != HTTP_OTHER ||
	                         rules_name_begins_like(f->name, SLICE("proxy-")));
}

void rules_filter(const struct rules *r, struct http_head *head, bool trusted)
{
	bool believed = trusted && r->forward == FORWARD_APPEND;
	for (size_t i = 0; i < head->n; i++) {
		struct http_field *f = &head->field[i];
		if (f->id != HTTP_HOST && stays_behind(r, f, believed))
			f->named = true;
	}
}
