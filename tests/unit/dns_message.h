/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* For tests: messages of name servers, written byte by byte. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { T_A = 1, T_CNAME = 5, T_TXT = 16, T_AAAA = 28, T_SRV = 33 };

struct message {
	uint8_t at[16384];
	size_t len;
};

static inline void put8(struct message *m, unsigned v)
{
	m->at[m->len++] = (uint8_t)v;
}

static inline void put16(struct message *m, unsigned v)
{
	put8(m, v >> 8);
	put8(m, v & 255);
}

static inline void put32(struct message *m, uint32_t v)
{
	put16(m, v >> 16);
	put16(m, v & 0xffff);
}

static inline void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		put8(m, (unsigned)n);
		memcpy(m->at + m->len, name, n);
		m->len += n;
		name += n + (name[n] == '.');
	}
	put8(m, 0);
}

/* A reply to a question for `name`; records follow, the count is kept. */
static inline void message_begin(struct message *m, unsigned id, const char *name, unsigned type)
{
	m->len = 0;
	put16(m, id);
	put16(m, 0x8180);
	put16(m, 1);
	put16(m, 0);
	put32(m, 0);
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
}

static inline void put_record(struct message *m, const char *owner, unsigned type, uint32_t ttl,
        const void *bytes, size_t n)
{
	put_name(m, owner);
	put16(m, type);
	put16(m, 1);
	put32(m, ttl);
	put16(m, (unsigned)n);
	memcpy(m->at + m->len, bytes, n);
	m->len += n;
	unsigned count = (unsigned)(m->at[6] << 8 | m->at[7]) + 1;
	m->at[6] = (uint8_t)(count >> 8);
	m->at[7] = (uint8_t)count;
}

static inline void put_a(struct message *m, const char *owner, uint32_t ttl, uint32_t ip)
{
	uint8_t b[4] = {(uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip};
	put_record(m, owner, T_A, ttl, b, 4);
}

static inline void put_aaaa(struct message *m, const char *owner, uint32_t ttl, unsigned last)
{
	uint8_t b[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = (uint8_t)last};
	put_record(m, owner, T_AAAA, ttl, b, 16);
}

static inline void put_cname(struct message *m, const char *owner, uint32_t ttl, const char *to)
{
	struct message name = {.len = 0};
	put_name(&name, to);
	put_record(m, owner, T_CNAME, ttl, name.at, name.len);
}

static inline void put_srv(struct message *m, const char *owner, uint32_t ttl, unsigned priority,
        unsigned weight, unsigned port, const char *host)
{
	struct message r = {.len = 0};
	put16(&r, priority);
	put16(&r, weight);
	put16(&r, port);
	put_name(&r, host);
	put_record(m, owner, T_SRV, ttl, r.at, r.len);
}
