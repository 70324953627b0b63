/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a worker knows of names: for each the last good answer, until when it holds, and
 * who waits for a better one. Bounded: the name that was not asked for longest makes
 * room. Keeps, and does no I/O. One thread. */

#include "base/list.h"
#include "net/dns.h"

struct lookup;

enum name_kind { NAME_ADDRESSES, NAME_SERVICE };

enum { NAMES_MAX = 1024 };

enum { NAME_ADDRESSES_MAX = 2 * DNS_RECORDS_MAX };

/* Nobody could say; or who may, says that there is nothing. */
enum name_failure { NAME_UNANSWERED, NAME_DENIED };

/* How long the last good answer is used past its time, after either (RFC 8767 5). */
enum { NAME_KEEP_MS = 24 * 3600 * 1000, NAME_KEEP_DENIED_MS = 5 * 60 * 1000 };

/* A good answer: n addresses or n targets, which lie behind it in its memory. */
struct name_answer {
	bool rotates; /* the order means nothing: each asker gets the next one first */
	size_t n;
	struct address_brief *address; /* port 0 */
	struct dns_target *target;
};

struct name {
	struct list node;  /* names->by_use */
	struct name *next; /* of the same hash */
	struct list waiters;
	struct lookup *lookup; /* in flight; NULL = none */
	size_t users;          /* pointers to it: requests, lookups */
	struct name_answer *good;
	uint64_t learnt_ms;        /* when `good`, or one that was given up, came */
	uint64_t refresh_ms;       /* asked for later than this, it is looked up anew meanwhile */
	uint64_t expires_ms;       /* of `good` */
	uint64_t retry_ms;         /* after a failure, not before */
	unsigned fails;            /* since the last good answer */
	enum name_failure failure; /* the last one */
	unsigned turn;
	const char *error; /* of the last failure */
	enum name_kind kind;
	uint32_t hash;
	char text[]; /* lower case */
};

struct names {
	struct name *slot[NAMES_MAX];
	struct list by_use; /* the latest is last */
	size_t n;
};

void names_init(struct names *all);
/* No name may have users. */
void names_fini(struct names *all);
/* The name, new if need be, as the one used last. NULL when memory is short, or all
 * names are in use. */
struct name *names_get(struct names *all, enum name_kind kind, const char *text);

/* Room for n, not filled. NULL when memory is short. */
struct name_answer *name_answer_new(enum name_kind kind, size_t n);

/* A good answer of `ttl_ms` has come: takes it over. True when it says something else
 * than the one before (not when there was none). */
bool name_learn(struct name *n, struct name_answer *a, uint64_t now_ms, uint64_t ttl_ms);
/* There was no good answer; the one before stays. */
void name_fail(struct name *n, enum name_failure failure, const char *error, uint64_t now_ms);
/* Drops the last good answer if it was kept for too long without a new one. True when it
 * has done so. */
bool name_give_up(struct name *n, uint64_t now_ms);
static inline bool name_is_fresh(const struct name *n, uint64_t now_ms)
{
	return n->good && now_ms < n->expires_ms;
}

/* The addresses as the next asker is to try them: families in turn (RFC 8305 4). Returns
 * how many; out has room for NAME_ADDRESSES_MAX. */
size_t name_addresses(struct name *n, struct address *out);
/* The targets as the next asker is to try them: by priority, at random by weight within
 * one (RFC 2782). out has room for DNS_RECORDS_MAX. */
size_t name_targets(const struct name *n, const struct dns_target **out);
