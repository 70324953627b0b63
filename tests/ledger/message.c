/* SPDX-License-Identifier: BSD-2-Clause */
#include "message.h"

#include <stdio.h>
#include <string.h>

enum { NAME_LEN = 32, NAMED_FROM = 40, GROUP = 8 };

/* The finaliser of splitmix64. */
uint64_t hash64(uint64_t a)
{
	a += 0x9e3779b97f4a7c15u;
	a = (a ^ a >> 30) * 0xbf58476d1ce4e5b9u;
	a = (a ^ a >> 27) * 0x94d049bb133111ebu;
	return a ^ a >> 31;
}

uint64_t draw_next(struct draw *d)
{
	return hash64(d->state++);
}

uint32_t draw_below(struct draw *d, uint32_t n)
{
	return (uint32_t)((draw_next(d) >> 32) * n >> 32);
}

bool draw_one_in(struct draw *d, uint32_t n)
{
	return draw_below(d, n) == 0;
}

static uint32_t length(struct draw *d, enum sizes sizes)
{
	static const uint32_t edges[] = {0, 1, 2, 7, 8, 125, 126, 127};
	static const uint32_t most[] = {
	        [SMALL] = 200, [MEDIUM] = 8192, [LARGE] = 150000, [HUGE] = 1500000};

	if (sizes == LARGE && draw_one_in(d, 4))
		return 65534 + draw_below(d, 4);
	if (draw_one_in(d, 4))
		return edges[draw_below(d, sizeof(edges) / sizeof(edges[0]))];
	return draw_below(d, most[sizes]);
}

struct message message_make(
        uint64_t seed, uint64_t session, enum role from, uint32_t number, enum sizes sizes)
{
	uint64_t key = hash64(hash64(hash64(seed) ^ session) ^ ((uint64_t)number << 1 | from));
	struct draw d = {key};
	bool text = draw_one_in(&d, 2);

	return (struct message){.key = hash64(key),
	        .session = session,
	        .number = number,
	        .len = length(&d, sizes),
	        .from = from,
	        .text = text};
}

/* Eight bytes of valid UTF-8: characters of one byte, of two, of three and one, or of four. */
static void text_group(uint64_t h, uint8_t out[GROUP])
{
	static const uint8_t lead[4][GROUP] = {
	        {0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20},
	        {0xc3, 0x80, 0xd0, 0x80, 0xc3, 0x80, 0xd0, 0x80},
	        {0xe3, 0x80, 0x80, 0x20, 0xe4, 0x80, 0x80, 0x20},
	        {0xf0, 0x9f, 0x80, 0x80, 0xf1, 0x80, 0x80, 0x80},
	};
	const uint8_t *first = lead[h & 3];

	for (size_t i = 0; i < GROUP; i++, h >>= 7) {
		if (first[i] == 0x80 || first[i] == 0x20)
			out[i] = (uint8_t)(first[i] + (h >> 2 & 0x3f));
		else
			out[i] = first[i];
	}
}

static void body_group(const struct message *m, size_t group, uint8_t out[GROUP])
{
	uint64_t h = hash64(m->key + group);

	if (!m->text)
		memcpy(out, &h, GROUP);
	else if ((group + 1) * GROUP <= m->len)
		text_group(h, out);
	else /* the last, which is cut */
		text_group(h & ~(uint64_t)3, out);
}

static void name(const struct message *m, char out[NAME_LEN + 1])
{
	snprintf(out, NAME_LEN + 1, "ledger %016llx %c %06x", (unsigned long long)m->session,
	        m->from == CLIENT ? 'u' : 'd', m->number & 0xffffff);
}

void message_bytes(const struct message *m, size_t at, uint8_t *out, size_t len)
{
	char named[NAME_LEN + 1];
	bool has_name = m->len >= NAMED_FROM;

	if (has_name && at < NAME_LEN)
		name(m, named);
	while (len) {
		uint8_t group[GROUP];
		size_t skip = at % GROUP, n = GROUP - skip < len ? GROUP - skip : len;

		if (has_name && at < NAME_LEN)
			memcpy(group, named + at / GROUP * GROUP, GROUP);
		else
			body_group(m, at / GROUP, group);
		memcpy(out, group + skip, n);
		at += n;
		out += n;
		len -= n;
	}
}
