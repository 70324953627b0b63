/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/admit.h"

#include "base/budget.h"
#include "proxy/deadline.h"
#include "proxy/request.h"

enum {
	FULL_RETRY_S = 5, /* Retry-After where nobody knows when a place will be free */
	LINGER_MS = 1000, /* for those refused at the door to take their answer and go */
	LINGER_MAX = 256, /* of them at a time on a worker; further ones are cut off */
};

static const char *const listener_reason[LIMIT_VERDICTS] = {
        [LIMIT_CONNECTIONS] = "max_connections of the listener",
        [LIMIT_ADDRESS_CONNECTIONS] = "max_connections_per_address of the listener",
};

static const char *const route_reason[LIMIT_VERDICTS] = {
        [LIMIT_CONNECTIONS] = "max_connections of the route",
        [LIMIT_RATE] = "handshake_rate of the route",
        [LIMIT_ADDRESS_CONNECTIONS] = "max_connections_per_address of the route",
        [LIMIT_ADDRESS_RATE] = "handshake_rate_per_address of the route",
};

static void count(struct session *s, const struct limit_answer *a)
{
	struct proxy_counters *c = &s->proxy->counters;
	if (a->verdict == LIMIT_OK && !a->table_full)
		return;
	counter *const of[LIMIT_VERDICTS] = {
	        [LIMIT_CONNECTIONS] = &c->limit_connections,
	        [LIMIT_RATE] = &c->limit_rate,
	        [LIMIT_ADDRESS_CONNECTIONS] = &c->limit_address_connections,
	        [LIMIT_ADDRESS_RATE] = &c->limit_address_rate,
	};
	if (a->table_full)
		counter_inc(&c->address_table_full);
	if (of[a->verdict])
		counter_inc(of[a->verdict]);
}

static void refuse(
        struct session *s, const struct limit_answer *a, const char *const reasons[LIMIT_VERDICTS])
{
	bool is_address =
	        a->verdict == LIMIT_ADDRESS_CONNECTIONS || a->verdict == LIMIT_ADDRESS_RATE;
	bool is_rate = a->verdict == LIMIT_RATE || a->verdict == LIMIT_ADDRESS_RATE;
	uint32_t wait_s = is_rate ? a->wait_ms / 1000 + (a->wait_ms % 1000 != 0) : FULL_RETRY_S;
	request_refuse_for(s, is_address ? 429 : 503, reasons[a->verdict], wait_s);
}

static bool has_places(struct session *s)
{
	if (!s->places && (s->places = pool_get(&s->proxy->admission_pool)))
		*s->places = (struct admission){.listener = {.scope = NULL}};
	return s->places != NULL;
}

/* The answer goes at once, so that it costs nothing but a moment. */
static void turn_away(struct session *s)
{
	struct proxy *p = s->proxy;
	if (p->lingering >= LINGER_MAX) {
		session_end(s, false);
		return;
	}
	p->lingering++;
	s->is_lingering = true;
	s->deadline_ms = session_clock(s) + LINGER_MS;
	deadline_reset(s);
}

/* What is told to many is not logged one by one. */
bool admit_memory(struct session *s)
{
	if (!budget_is_short())
		return true;
	budget_settle(); /* or, where nothing else changes, it would seem short for ever */
	if (!budget_is_short())
		return true;
	shortage_begin(s->proxy);
	counter_inc(&s->proxy->counters.refused_memory);
	if (s->listener->tls) { /* to tell it would take more than there is */
		session_end(s, true);
		return false;
	}
	request_turn_away(s, 503, "memory is short", FULL_RETRY_S);
	turn_away(s);
	return false;
}

bool admit_connection(struct session *s)
{
	const struct proxy_listener *l = s->listener;
	if (!l->scope)
		return true;
	struct limit_answer a = {.verdict = LIMIT_OK};
	if (has_places(s)) {
		/* A trusted proxy is no client: it will tell for whom it comes. */
		bool is_proxy = cidr_list_has(&l->trusted, &s->client);
		a = limit_enter(l->scope, &l->limits, is_proxy ? NULL : &s->client,
		        session_clock(s), &s->places->listener);
		count(s, &a);
		if (a.verdict == LIMIT_OK)
			return true;
		refuse(s, &a, listener_reason);
	} else {
		counter_inc(&s->proxy->counters.out_of_memory);
		request_refuse(s, 503, "out of memory");
	}
	turn_away(s);
	return false;
}

/* Behind a proxy that is trusted the client is known only now. */
static bool settle_listener(struct session *s)
{
	if (!s->places || !s->places->listener.scope)
		return true;
	struct limit_answer a = limit_move(&s->places->listener, &s->listener->limits, &s->client);
	count(s, &a);
	if (a.verdict != LIMIT_OK)
		refuse(s, &a, listener_reason);
	return a.verdict == LIMIT_OK;
}

bool admit_request(struct session *s)
{
	struct route *r = s->route;
	if (!settle_listener(s))
		return false;
	if (!r->scope)
		return true;
	if (!has_places(s)) {
		counter_inc(&s->proxy->counters.out_of_memory);
		request_refuse(s, 503, "out of memory");
		return false;
	}
	struct limit_answer a = limit_enter(
	        r->scope, &r->settings.limit, &s->client, session_clock(s), &s->places->route);
	count(s, &a);
	if (a.verdict != LIMIT_OK)
		refuse(s, &a, route_reason);
	return a.verdict == LIMIT_OK;
}

void admit_leave_route(struct session *s)
{
	if (s->places)
		limit_leave(&s->places->route);
}

void admit_expect_release(const struct session *s)
{
	if (!s->places)
		return;
	limit_expect_leave(&s->places->route);
	limit_expect_leave(&s->places->listener);
}

void admit_release(struct session *s)
{
	if (s->is_lingering)
		s->proxy->lingering--;
	if (!s->places)
		return;
	limit_leave(&s->places->route);
	limit_leave(&s->places->listener);
	pool_put(&s->proxy->admission_pool, s->places);
	s->places = NULL;
}
