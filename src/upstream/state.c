/* SPDX-License-Identifier: BSD-2-Clause */
#include "upstream/state.h"

#include "base/log.h"
#include "base/mem.h"
#include "upstream/waiting.h"

#include <string.h>

enum { REGISTRY_SLOTS = 256 };

static struct {
	pthread_mutex_t lock;
	struct list slot[REGISTRY_SLOTS]; /* of groups; made with the first */
	bool is_made;
	uint64_t serial; /* of the last server */
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct list *slot_of(const char *name)
{
	uint32_t h = 2166136261U;
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return &registry.slot[h % REGISTRY_SLOTS];
}

static void make_registry(void)
{
	for (size_t i = 0; i < REGISTRY_SLOTS; i++)
		list_init(&registry.slot[i]);
	registry.is_made = true;
}

static struct group_state *group_get(const char *name)
{
	struct list *slot = slot_of(name);
	list_each (it, slot) {
		struct group_state *g = list_entry(it, struct group_state, node);
		if (strcmp(g->name, name) == 0)
			return g;
	}
	struct group_state *g = mem_new(sizeof *g);
	g->name = mem_strdup(name);
	list_init(&g->servers);
	list_init(&g->waiting);
	pthread_mutex_init(&g->lock, NULL);
	list_append(slot, &g->node);
	return g;
}

static struct server_state *find(struct group_state *g, const char *key)
{
	list_each (it, &g->servers) {
		struct server_state *s = list_entry(it, struct server_state, node);
		if (strcmp(s->key, key) == 0)
			return s;
	}
	return NULL;
}

static struct server_state *server_new(struct group_state *g, const char *key)
{
	struct server_state *s = mem_new(sizeof *s);
	const char *scheme_end;
	s->serial = ++registry.serial;
	s->group = g;
	s->key = mem_strdup(key);
	scheme_end = strstr(s->key, "://");
	s->name = scheme_end ? scheme_end + 3 : s->key;
	atomic_init(&s->healthy, true);
	atomic_init(&s->limit, SERVER_LIMIT_UNKNOWN);
	list_init(&s->holders);
	list_append(&g->servers, &s->node);
	g->server_n++;
	return s;
}

struct server_state *server_state_get(const char *group, const char *key)
{
	pthread_mutex_lock(&registry.lock);
	if (!registry.is_made)
		make_registry();
	struct group_state *g = group_get(group);
	struct server_state *s = find(g, key);
	if (!s)
		s = server_new(g, key);
	server_state_ref(s);
	pthread_mutex_unlock(&registry.lock);
	return s;
}

struct server_state *server_state_ref(struct server_state *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

static void group_free(struct group_state *g)
{
	list_remove(&g->node);
	pthread_mutex_destroy(&g->lock);
	mem_free(g->name);
	mem_free(g);
}

/* Only under the registry's lock can the count fall to 0, for there it can rise from
 * 0 too: server_state_get() finds the server again. */
void server_state_unref(struct server_state *s)
{
	if (!s)
		return;
	unsigned refs = atomic_load_explicit(&s->refs, memory_order_relaxed);
	while (refs > 1)
		if (atomic_compare_exchange_weak_explicit(
		            &s->refs, &refs, refs - 1, memory_order_release, memory_order_relaxed))
			return;
	pthread_mutex_lock(&registry.lock);
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
		struct group_state *g = s->group;
		list_remove(&s->node);
		mem_free(s->key);
		mem_free(s);
		if (--g->server_n == 0)
			group_free(g);
	}
	pthread_mutex_unlock(&registry.lock);
}

/* ---- up and down ---- */

static void log_change(const struct server_state *s, bool is_up, const char *reason)
{
	struct log_line l;
	log_begin(&l, is_up ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, is_up ? "server_up" : "server_down");
	log_text(&l, "upstream", s->group->name);
	log_text(&l, "server", s->name);
	if (reason)
		log_text(&l, "reason", reason);
	log_end(&l);
}

static void note_fail(struct server_state *s, uint64_t now_ms)
{
	s->fail_ms[s->fails++ % SERVER_FAILS_MAX] = now_ms;
}

/* The last max_fails failures lie within fail_timeout. */
static bool has_failed_too_often(
        const struct server_state *s, uint32_t max_fails, uint32_t fail_timeout_ms, uint64_t now_ms)
{
	if (max_fails == 0 || s->fails < max_fails)
		return false;
	uint64_t first = s->fail_ms[(s->fails - max_fails) % SERVER_FAILS_MAX];
	return now_ms - first <= fail_timeout_ms;
}

void server_state_fail(struct server_state *s, bool trial, uint32_t max_fails,
        uint32_t fail_timeout_ms, uint64_t now_ms, const char *reason)
{
	pthread_mutex_lock(&s->group->lock);
	bool was_up = server_state_is_up(s);
	bool was_down = s->down_until_ms != 0;
	if (trial)
		s->on_trial = false;
	/* Those that were on their way when it went down tell nothing new. */
	if (!was_down)
		note_fail(s, now_ms);
	if (was_down ? trial : has_failed_too_often(s, max_fails, fail_timeout_ms, now_ms))
		s->down_until_ms = now_ms + fail_timeout_ms;
	bool is_up = server_state_is_up(s);
	pthread_mutex_unlock(&s->group->lock);
	if (was_up && !is_up)
		log_change(s, false, reason);
}

void server_state_answered(struct server_state *s, uint64_t now_ms)
{
	pthread_mutex_lock(&s->group->lock);
	bool was_up = server_state_is_up(s);
	s->on_trial = false;
	if (s->down_until_ms)
		s->up_since_ms = now_ms;
	s->down_until_ms = 0;
	s->fails = 0;
	bool is_up = server_state_is_up(s);
	pthread_mutex_unlock(&s->group->lock);
	if (!was_up && is_up)
		log_change(s, true, NULL);
	waiting_serve(s->group, now_ms);
}

void server_state_abandon(struct server_state *s)
{
	pthread_mutex_lock(&s->group->lock);
	s->on_trial = false;
	pthread_mutex_unlock(&s->group->lock);
}

static void log_health(const struct server_state *s, const char *reason)
{
	struct log_line l;
	log_begin(&l, s->healthy ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
	        s->healthy ? "server_healthy" : "server_unhealthy");
	log_text(&l, "upstream", s->group->name);
	log_text(&l, "server", s->name);
	if (reason)
		log_text(&l, "reason", reason);
	log_end(&l);
}

void server_state_set_healthy(
        struct server_state *s, bool healthy, uint64_t now_ms, const char *reason)
{
	pthread_mutex_lock(&s->group->lock);
	bool is_change = s->healthy != healthy;
	if (healthy && is_change)
		s->up_since_ms = now_ms;
	s->healthy = healthy;
	pthread_mutex_unlock(&s->group->lock);
	if (is_change)
		log_health(s, reason);
	waiting_serve(s->group, now_ms);
}
