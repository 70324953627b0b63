/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/cidr.h"

#include "base/mem.h"

#include <arpa/inet.h>

/* Whether the first `bits` bits are the same. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool has_host_bits(const struct cidr *c, unsigned width)
{
	static const uint8_t zero[16];
	uint8_t host[16];
	memcpy(host, c->ip, sizeof host);
	for (unsigned i = 0; i < c->bits; i++)
		host[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	return memcmp(host, zero, width / 8) != 0;
}

/* One to three digits and nothing else; -1 if they are not. */
static int read_bits(const char *text)
{
	size_t n = strspn(text, "0123456789");
	int value = 0;
	if (n == 0 || n > 3 || text[n])
		return -1;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

static void unmap(struct cidr *c)
{
	struct address_brief a = {.family = AF_INET6};
	if (c->family != AF_INET6 || c->bits < 96)
		return;
	memcpy(a.ip, c->ip, 16);
	address_brief_unmap(&a);
	if (a.family == AF_INET6)
		return;
	*c = (struct cidr){.family = AF_INET, .bits = (uint8_t)(c->bits - 96)};
	memcpy(c->ip, a.ip, 4);
}

const char *cidr_parse(struct cidr *out, const char *text)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	struct cidr c = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	unsigned width = c.family == AF_INET6 ? 128 : 32;

	if (strcmp(text, "unix:") == 0) {
		*out = (struct cidr){.family = AF_UNIX};
		return NULL;
	}
	if (len >= sizeof host)
		return "want an address or a block of them, such as 10.0.0.0/8 or 2001:db8::/32";
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(c.family, host, c.ip) != 1)
		return "want an address or a block of them, such as 10.0.0.0/8 or 2001:db8::/32";
	int bits = text[len] ? read_bits(text + len + 1) : (int)width;
	if (bits < 0 || (unsigned)bits > width)
		return width == 32 ? "want a prefix length of 0..32 behind the '/'"
		                   : "want a prefix length of 0..128 behind the '/'";
	c.bits = (uint8_t)bits;
	if (has_host_bits(&c, width))
		return "want the block's first address: no bits behind the prefix";
	unmap(&c);
	*out = c;
	return NULL;
}

bool cidr_has(const struct cidr *c, const struct address_brief *a)
{
	struct address_brief plain = *a;
	address_brief_unmap(&plain);
	return plain.family == c->family && same_bits(plain.ip, c->ip, c->bits);
}

void cidr_list_add(struct cidr_list *l, const struct cidr *c)
{
	l->at = mem_resize(l->at, (l->n + 1) * sizeof l->at[0]);
	l->at[l->n++] = *c;
}

bool cidr_list_has(const struct cidr_list *l, const struct address_brief *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (cidr_has(&l->at[i], a))
			return true;
	return false;
}

void cidr_list_fini(struct cidr_list *l)
{
	mem_free(l->at);
	*l = (struct cidr_list){NULL, 0};
}
