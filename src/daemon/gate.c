/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/gate.h"

#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/place.h"

#include <errno.h>
#include <string.h>

static bool is_at(const struct gate *g, const struct listener_settings *s)
{
	if (g->settings.passed || s->passed)
		return g->settings.passed && s->passed &&
		       strcmp(g->settings.passed, s->passed) == 0 &&
		       g->settings.passed_number == s->passed_number;
	return address_equal(&g->settings.address, &s->address) && listener_has_file(g->listener);
}

static struct gate *find(const struct gates *all, const struct listener_settings *s)
{
	for (size_t i = 0; i < all->n; i++)
		if (is_at(all->at[i], s))
			return all->at[i];
	return NULL;
}

/* 0.0.0.0:80 in place of 127.0.0.1:80, say: both are open for a while. */
static bool is_beside_own(const struct gates *now, const struct listener_settings *s)
{
	for (size_t i = 0; i < now->n; i++)
		if (!now->at[i]->settings.passed && !s->passed &&
		        place_overlaps(&now->at[i]->settings.address, &s->address))
			return true;
	return false;
}

/* errno tells of the call that failed. */
static void complain(struct config_errors *why, const struct config_bind *b, const char *text)
{
	config_errors_add(why, errno, "%s: [listener %s] bind = %s: %s", b->place,
	        b->listener->name, b->text, text);
}

/* NULL, and told. */
static struct gate *gate_new(const struct config_bind *b, const struct gates *now, unsigned workers,
        struct config_errors *why)
{
	struct gate *g = mem_new(sizeof(*g));
	char text[160];

	g->settings = b->settings;
	g->settings.is_beside_own = is_beside_own(now, &b->settings);
	g->listener = listener_open(&g->settings, workers, text);
	if (!g->listener) {
		complain(why, b, text);
		mem_free(g);
		return NULL;
	}
	if (g->settings.passed)
		g->settings.passed = mem_strdup(g->settings.passed);
	g->part = proxy_listener_ref(b->listener);
	g->is_new = true;
	return g;
}

static void gate_free(struct gate *g)
{
	listener_close(g->listener);
	proxy_listener_unref(g->part);
	mem_free((char *)g->settings.passed);
	mem_free(g);
}

bool gates_open(struct gates *next, struct gates *now, const struct config *c, unsigned workers,
        struct config_errors *why)
{
	bool is_good = true;

	*next = (struct gates){.at = mem_new(c->bind_n * sizeof(struct gate *))};
	for (size_t i = 0; i < now->n; i++)
		now->at[i]->wanted = NULL;
	for (size_t i = 0; i < c->bind_n; i++) {
		const struct config_bind *b = &c->bind[i];
		struct gate *g = find(now, &b->settings);
		if (!g)
			g = gate_new(b, now, workers, why);
		if (!g) {
			is_good = false;
			continue;
		}
		g->wanted = b;
		next->at[next->n++] = g;
	}
	if (!is_good)
		gates_drop(next);
	return is_good;
}

void gates_drop(struct gates *next)
{
	for (size_t i = 0; i < next->n; i++)
		if (next->at[i]->is_new)
			gate_free(next->at[i]);
	mem_free(next->at);
	*next = (struct gates){.at = NULL};
}

/* The first n. */
static void change_back(struct gates *next, size_t n)
{
	char ignored[160];

	for (size_t i = 0; i < n; i++)
		if (!next->at[i]->is_new)
			listener_change(next->at[i]->listener, &next->at[i]->settings, ignored);
}

bool gates_change(struct gates *next, struct config_errors *why)
{
	char text[160];
	size_t i = 0;

	while (i < next->n &&
	        (next->at[i]->is_new || listener_change(next->at[i]->listener,
	                                        &next->at[i]->wanted->settings, text)))
		i++;
	if (i == next->n)
		return true;
	complain(why, next->at[i]->wanted, text);
	change_back(next, i + 1);
	return false;
}

void gates_change_back(struct gates *next)
{
	change_back(next, next->n);
}

void gates_leave(struct gates *now)
{
	for (size_t i = 0; i < now->n; i++)
		if (!now->at[i]->wanted)
			listener_unlink(now->at[i]->listener);
}

static void settle(struct gate *g)
{
	const char *passed = g->settings.passed; /* the same text, but owned */

	g->settings = g->wanted->settings;
	g->settings.passed = passed;
	proxy_listener_ref(g->wanted->listener);
	proxy_listener_unref(g->part);
	g->part = g->wanted->listener;
	g->wanted = NULL;
	g->is_new = false;
}

static void log_gone(const struct gate *g)
{
	char text[ADDRESS_TEXT_MAX];

	log_event(LOG_LEVEL_INFO, "not_listening", "listener", g->part->name, "address",
	        address_text(listener_address(g->listener), text), NULL);
}

void gates_move(struct gates *now, struct gates *next)
{
	for (size_t i = 0; i < now->n; i++) {
		if (now->at[i]->wanted)
			continue;
		log_gone(now->at[i]);
		gate_free(now->at[i]);
	}
	mem_free(now->at);
	for (size_t i = 0; i < next->n; i++)
		settle(next->at[i]);
	*now = *next;
	*next = (struct gates){.at = NULL};
}

void gates_close(struct gates *all)
{
	for (size_t i = 0; i < all->n; i++)
		gate_free(all->at[i]);
	mem_free(all->at);
	*all = (struct gates){.at = NULL};
}

void gates_log(const struct gates *all)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < all->n; i++)
		if (all->at[i]->is_new)
			log_event(LOG_LEVEL_INFO, "listening", "listener", all->at[i]->part->name,
			        "address",
			        address_text(listener_address(all->at[i]->listener), text), NULL);
}
