/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_limits.h"

#include "config/draft.h"

/* Keys that would do nothing are mistakes, where they stand in the section itself. `need` is the
 * key that they are about, `other` one that does as well. */
static void check_idle(struct draft *d, const struct reader_section *s, const char *key,
        const char *need, const char *other)
{
	const struct reader_entry *e = reader_find(s, key);
	if (draft_is_refused(s, need) || (other && draft_is_refused(s, other)))
		return;
	if (e && strcmp(e->value, "auto") != 0 && strcmp(e->value, "none") != 0 &&
	        draft_is_whole(s))
		draft_error(d, s, e, "does nothing: want %s%s%s too", need, other ? " or " : "",
		        other ? other : "");
}

static void check_address_keys(struct draft *d, const struct reader_section *s,
        const struct limit_settings *l, const char *other)
{
	if (l->max_connections_per_address || l->rate_per_address.n)
		return;
	check_idle(d, s, "limit_exempt", "max_connections_per_address", other);
}

void build_listener_limits(struct draft *d, struct draft_listener *l, struct proxy_listener *built)
{
	check_address_keys(d, l->section, &l->limits, NULL);
	built->limits = l->limits;
	l->limits.exempt = NULL;
	if (limit_is_on(&built->limits))
		built->scope = limit_scope_get("listener", built->name);
}

void build_route_limits(struct draft *d, struct draft_route *r)
{
	const struct limit_settings *l = &r->route->settings.limit;
	check_address_keys(d, r->section, l, "handshake_rate_per_address");
	if (!l->rate.n)
		check_idle(d, r->section, "handshake_burst", "handshake_rate", NULL);
	if (!l->rate_per_address.n)
		check_idle(d, r->section, "handshake_burst_per_address",
		        "handshake_rate_per_address", NULL);
	if (limit_is_on(l))
		r->route->scope = limit_scope_get("route", r->route->name);
}
