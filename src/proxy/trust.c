/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/trust.h"

#include "http/chars.h"

/* The last members of a list, in the order in which they came. */
struct hops {
	struct slice at[TRUST_HOPS_MAX];
	size_t n; /* of all that came */
};

static void hops_add(struct hops *h, struct slice hop)
{
	h->at[h->n++ % TRUST_HOPS_MAX] = hop;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct slice skip_blanks(struct slice s)
{
	while (s.len > 0 && is_blank(s.at[0]))
		s = slice_of(s.at + 1, s.len - 1);
	return s;
}

/* ---- Forwarded (RFC 7239 4) ---- */

static bool take(struct slice *s, uint8_t c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = slice_of(s->at + 1, s->len - 1);
	return true;
}

static bool take_token(struct slice *s, struct slice *token)
{
	size_t n = 0;
	while (n < s->len && char_is(s->at[n], CHAR_TOKEN))
		n++;
	*token = slice_of(s->at, n);
	*s = slice_of(s->at + n, s->len - n);
	return n > 0;
}

/* What is between the quotes; an escape in it stays as it is, for no address has one. */
static bool take_quoted(struct slice *s, struct slice *text)
{
	size_t n = 0;
	if (!take(s, '"'))
		return false;
	while (n < s->len && s->at[n] != '"')
		n += s->at[n] == '\\' ? 2 : 1;
	if (n >= s->len)
		return false;
	*text = slice_of(s->at, n);
	*s = slice_of(s->at + n + 1, s->len - n - 1);
	return true;
}

/* A value that is neither a token nor quoted is taken up to the next delimiter: many
 * write addresses with a ':' without the quotes that they need. */
static bool take_value(struct slice *s, struct slice *value)
{
	size_t n = 0;
	if (s->len > 0 && s->at[0] == '"')
		return take_quoted(s, value);
	while (n < s->len && !strchr(",;\" \t", s->at[n]))
		n++;
	*value = slice_of(s->at, n);
	*s = slice_of(s->at + n, s->len - n);
	return n > 0;
}

/* name=value *( ; name=value ), with the value of `for`, or without. */
static bool take_element(struct slice *s, struct slice *hop)
{
	struct slice name, value;
	*hop = SLICE("");
	do {
		*s = skip_blanks(*s);
		if (!take_token(s, &name))
			continue;
		if (!take(s, '=') || !take_value(s, &value))
			return false;
		if (slice_equal_nocase(name, SLICE("for")))
			*hop = value;
		*s = skip_blanks(*s);
	} while (take(s, ';'));
	return s->len == 0 || s->at[0] == ',';
}

/* A line that cannot be read hides what stands before it: who wrote which part of it
 * is not known. */
static void read_forwarded(struct hops *hops, struct slice s)
{
	struct slice hop;
	do {
		s = skip_blanks(s);
		if (s.len == 0)
			return;
		if (s.at[0] == ',')
			continue;
		if (!take_element(&s, &hop)) {
			hops_add(hops, SLICE(""));
			return;
		}
		hops_add(hops, hop);
	} while (take(&s, ','));
}

/* ---- the way back ---- */

static void read_list(struct hops *hops, struct slice s)
{
	struct slice member;
	while (http_list_next(&s, &member))
		hops_add(hops, member);
}

static const struct slice names[] = {
        [TRUST_X_FORWARDED_FOR] = {(const uint8_t *)"X-Forwarded-For", 15},
        [TRUST_FORWARDED] = {(const uint8_t *)"Forwarded", 9},
        [TRUST_X_REAL_IP] = {(const uint8_t *)"X-Real-IP", 9},
};

static void read_hops(struct hops *hops, enum trust_header believed, const struct http_head *head)
{
	hops->n = 0;
	for (size_t i = 0; i < head->n; i++) {
		const struct http_field *f = &head->field[i];
		if (!slice_equal_nocase(f->name, names[believed]))
			continue;
		if (believed == TRUST_FORWARDED)
			read_forwarded(hops, f->value);
		else if (believed == TRUST_X_REAL_IP)
			hops_add(hops, f->value);
		else
			read_list(hops, f->value);
	}
}

struct address_brief trust_client(const struct cidr_list *trusted, enum trust_header believed,
        const struct address_brief *peer, const struct http_head *head)
{
	struct address_brief client = *peer;
	struct hops hops;
	read_hops(&hops, believed, head);
	/* There is only one real address: two are one more than the proxy has written. */
	if (believed == TRUST_X_REAL_IP && hops.n > 1)
		return client;
	size_t n = hops.n < TRUST_HOPS_MAX ? hops.n : TRUST_HOPS_MAX;
	for (size_t i = 1; i <= n; i++) {
		struct address_brief hop;
		if (!address_brief_parse(&hop, hops.at[(hops.n - i) % TRUST_HOPS_MAX]))
			break;
		address_brief_unmap(&hop);
		client = hop;
		if (believed == TRUST_X_REAL_IP || !cidr_list_has(trusted, &client))
			break;
	}
	return client;
}

struct slice trust_id(const struct http_head *head, struct slice header)
{
	const struct http_field *found = NULL;
	for (size_t i = 0; i < head->n; i++) {
		if (!slice_equal_nocase(head->field[i].name, header))
			continue;
		if (found)
			return SLICE("");
		found = &head->field[i];
	}
	if (!found || found->value.len == 0 || found->value.len > TRUST_ID_MAX)
		return SLICE("");
	for (size_t i = 0; i < found->value.len; i++)
		if (!char_is(found->value.at[i], CHAR_UNRESERVED) || found->value.at[i] == '~')
			return SLICE("");
	return found->value;
}
