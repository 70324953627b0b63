/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/route.h"

#include "base/mem.h"
#include "net/tls_client.h"
#include "proxy/tokens.h"
#include "upstream/group.h"

#include <assert.h>

struct route *route_new(const char *name)
{
	struct route *r = mem_new(sizeof *r);
	r->name = mem_strdup(name);
	atomic_init(&r->refs, 1);
	return r;
}

struct route *route_ref(struct route *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void route_unref(struct route *r)
{
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < r->host_n; i++)
		mem_free(r->host[i]);
	for (size_t i = 0; i < r->condition_n; i++) {
		mem_free(r->condition[i].name);
		mem_free(r->condition[i].value);
	}
	mem_free(r->host);
	mem_free(r->condition);
	tls_client_unref(r->settings.handler.tls);
	route_settings_fini(&r->settings);
	route_headers_fini(&r->headers);
	script_unref(r->handler);
	script_unref(r->access);
	script_unref(r->log);
	limit_scope_unref(r->scope);
	upstream_group_unref(r->group);
	mem_free(r->respond_location);
	mem_free(r->path);
	mem_free(r->name);
	mem_free(r);
}

bool route_add_host(struct route *r, const char *host)
{
	for (size_t i = 0; i < r->host_n; i++)
		if (strcmp(r->host[i], host) == 0)
			return false;
	r->host = mem_resize(r->host, (r->host_n + 1) * sizeof r->host[0]);
	r->host[r->host_n++] = mem_strdup(host);
	return true;
}

bool route_add_condition(
        struct route *r, enum condition_kind kind, const char *name, const char *value)
{
	struct condition c = {kind, mem_strdup(name), mem_strdup(value)};
	size_t at = 0;
	assert(r->condition_n < CONDITIONS_MAX);
	while (at < r->condition_n && condition_order(&r->condition[at], &c) < 0)
		at++;
	if (at < r->condition_n && condition_order(&r->condition[at], &c) == 0) {
		mem_free(c.name);
		mem_free(c.value);
		return false;
	}
	r->condition = mem_resize(r->condition, (r->condition_n + 1) * sizeof c);
	memmove(&r->condition[at + 1], &r->condition[at], (r->condition_n - at) * sizeof c);
	r->condition[at] = c;
	r->condition_n++;
	return true;
}

void route_settings_copy(struct route_settings *to, const struct route_settings *from)
{
	*to = *from;
	origin_list_ref(to->origins);
	token_list_ref(to->subprotocols);
	limit_exempt_ref(to->limit.exempt);
}

void route_settings_fini(struct route_settings *s)
{
	origin_list_unref(s->origins);
	token_list_unref(s->subprotocols);
	limit_exempt_unref(s->limit.exempt);
	s->origins = NULL;
	s->subprotocols = NULL;
	s->limit.exempt = NULL;
}
