/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/resolver.h"

#include "base/mem.h"
#include "net/worker.h"

#include <ares.h>
#include <assert.h>
#include <string.h>

/* c-ares looks into /etc/hosts while it is asked, so its answer is there at once; it
 * is kept until the turn's timers fire. */

enum { FOUND_MAX = 32 };

struct resolver {
	struct worker *worker;
	ares_channel channel;
	size_t open; /* requests */
};

struct resolving {
	struct timer due;
	struct retired retired;
	struct resolver *resolver;
	resolver_fn fn;
	void *owner;
	const char *error;
	bool asking; /* c-ares has not answered */
	size_t n;
	struct address found[FOUND_MAX];
};

static void free_request(struct retired *r)
{
	mem_free(list_entry(r, struct resolving, retired));
}

/* The request is over; its memory lives to the end of the turn. */
static void end_request(struct resolving *q)
{
	q->resolver->open--;
	worker_retire(q->resolver->worker, &q->retired, free_request);
}

static void tell(struct timer *t)
{
	struct resolving *q = list_entry(t, struct resolving, due);

	end_request(q);
	q->fn(q->owner, q->found, q->n, q->n ? NULL : q->error);
}

static void add(struct resolving *q, const void *sa, size_t len)
{
	struct address *a = &q->found[q->n];

	if (q->n == FOUND_MAX || len > sizeof(a->storage))
		return;
	memset(a, 0, sizeof(*a));
	memcpy(&a->storage, sa, len);
	a->len = (socklen_t)len;
	address_set_port(a, 0);
	for (size_t i = 0; i < q->n; i++)
		if (address_equal(&q->found[i], a))
			return;
	q->n++;
}

/* RFC 6761 6.3: localhost and the names under it are the loopback, whether a file says
 * so or not. The name itself is never looked up (c-ares 1.18 leaks memory when the file
 * lacks it); a name under it may have a loopback address of its own in the file. */
static bool is_localhost(const char *name, bool or_under_it)
{
	static const char local[] = "localhost";
	size_t len = strlen(name), n = sizeof(local) - 1;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len < n || (len > n && (!or_under_it || name[len - n - 1] != '.')))
		return false;
	return slice_equal_nocase(slice_of(name + len - n, n), slice_of(local, n));
}

static void add_loopback(struct resolving *q)
{
	struct address a;

	address_parse(&a, "127.0.0.1:0");
	add(q, &a.storage, a.len);
	address_parse(&a, "[::1]:0");
	add(q, &a.storage, a.len);
}

/* ECONNREFUSED is what c-ares says after the last kind of lookup has found nothing. */
static const char *why_not(int status)
{
	if (status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA ||
	        status == ARES_ECONNREFUSED)
		return "no such host";
	return ares_strerror(status);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	(void)timeouts;
	struct resolving *q = arg;

	q->asking = false;
	if (info) {
		for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
			add(q, node->ai_addr, node->ai_addrlen);
		ares_freeaddrinfo(info);
	}
	q->error = why_not(status);
}

struct resolver *resolver_new(struct worker *w)
{
	char lookups[] = "f";
	struct ares_options options = {.lookups = lookups};
	struct resolver *r = mem_try(sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct resolver){.worker = w};
	if (ares_init_options(&r->channel, &options, ARES_OPT_LOOKUPS) == ARES_SUCCESS)
		return r;
	mem_free(r);
	return NULL;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	assert(r->open == 0);
	ares_destroy(r->channel);
	mem_free(r);
}

/* The order of the file, not one by reachability: that opens sockets to find out. */
static void ask(struct resolving *q, const char *name)
{
	static const struct ares_addrinfo_hints hints = {
	        .ai_family = AF_UNSPEC,
	        .ai_socktype = SOCK_STREAM,
	        .ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS,
	};

	if (!is_localhost(name, false)) {
		q->asking = true;
		ares_getaddrinfo(q->resolver->channel, name, NULL, &hints, on_answer, q);
		assert(!q->asking);
	}
	if (q->n == 0 && is_localhost(name, true))
		add_loopback(q);
}

struct resolving *resolver_start(struct resolver *r, const char *name, resolver_fn fn, void *owner)
{
	struct resolving *q = mem_try(sizeof(*q));

	if (!q)
		return NULL;
	memset(q, 0, sizeof(*q));
	q->resolver = r;
	q->fn = fn;
	q->owner = owner;
	timer_init(&q->due, tell);
	r->open++;
	ask(q, name);
	worker_timer(r->worker, &q->due, r->worker->now_ms);
	return q;
}

void resolver_cancel(struct resolving *q)
{
	timer_clear(&q->resolver->worker->wheel, &q->due);
	end_request(q);
}
