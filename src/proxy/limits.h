/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* How many connections and handshakes a listener or a route takes, in all and from one
 * address: shared by all workers and by every configuration that names them, so that a
 * reload forgets nothing. Any thread; a lock is taken when a connection comes, asks
 * for its upgrade and goes, never for a message.
 *
 * Addresses are kept in one table of a bounded size, under the name of the listener or
 * route. One that has no connection and its full allowance needs no place there. When
 * the table is full, the address that was idle longest is forgotten; when none is
 * idle, new ones are let through and not counted, and that is told. */

#include "net/address.h"
#include "net/cidr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct limit_rate {
	uint32_t n; /* in per_ms; 0 = off */
	uint32_t per_ms;
};

/* Who is free of limits per address. Immutable once filled, counted. */
struct limit_exempt {
	atomic_uint refs;
	struct cidr_list list;
};
struct limit_exempt *limit_exempt_new(void);
struct limit_exempt *limit_exempt_ref(struct limit_exempt *e); /* NULL stays NULL */
void limit_exempt_unref(struct limit_exempt *e);

struct limit_settings {
	uint32_t max_connections, max_connections_per_address; /* 0 = off */
	struct limit_rate rate, rate_per_address;              /* of handshakes */
	uint32_t burst, burst_per_address; /* that may come at once; 0 = the rate's n */
	uint32_t prefix_ipv6;              /* bits of an IPv6 address that make one client */
	struct limit_exempt *exempt;       /* referenced; NULL = nobody */
};
/* Something is limited: it needs a scope. */
bool limit_is_on(const struct limit_settings *s);

/* What is known of one listener or route. */
struct limit_scope;
/* `kind` and `name` together name it. A reference. */
struct limit_scope *limit_scope_get(const char *kind, const char *name);
struct limit_scope *limit_scope_ref(struct limit_scope *s);
void limit_scope_unref(struct limit_scope *s);
/* Connections that have a place there now. */
uint32_t limit_scope_active(const struct limit_scope *s);

/* The places that a connection has. Zero: none. */
struct limit_place {
	struct limit_scope *scope; /* which the place keeps */
	struct limit_entry *entry; /* of its address, or NULL */
};

enum limit_verdict {
	LIMIT_OK,
	LIMIT_CONNECTIONS,
	LIMIT_RATE,
	LIMIT_ADDRESS_CONNECTIONS,
	LIMIT_ADDRESS_RATE,
	LIMIT_VERDICTS
};
struct limit_answer {
	enum limit_verdict verdict;
	uint32_t wait_ms; /* of a rate: when it would be allowed */
	bool table_full;  /* the address is not counted */
};

/* Asks for a place for one connection more, at the cost of one handshake. `place` is
 * filled with LIMIT_OK only; with any other verdict nothing was taken. `client` NULL:
 * without the limits per address. */
struct limit_answer limit_enter(struct limit_scope *s, const struct limit_settings *set,
        const struct address_brief *client, uint64_t now_ms, struct limit_place *place);
/* The connection turns out to be another client's: its place is counted under that
 * address from now on. With a verdict other than LIMIT_OK all stays as it was. */
struct limit_answer limit_move(struct limit_place *place, const struct limit_settings *set,
        const struct address_brief *client);
/* It will be given up soon: fetches what that needs. */
void limit_expect_leave(const struct limit_place *place);
/* Gives the place up. Harmless twice. */
void limit_leave(struct limit_place *place);

/* How many addresses the table may hold, from now on. */
enum { LIMIT_TABLE_DEFAULT = 100000 };
void limit_table_resize(size_t max);
/* How many it holds; what they take of memory is this times LIMIT_ENTRY_SIZE and their
 * slots, at most. For tests. */
size_t limit_table_used(void);
