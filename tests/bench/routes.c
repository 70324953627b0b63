/* SPDX-License-Identifier: BSD-2-Clause */

/* What a request costs to be routed: the time of route_find() among 10, 100, 1 000 and
 * 10 000 routes, in nanoseconds. Routes differ by host and path, as those of a proxy for
 * many applications do, or by the value of one header (tenants on one host). Each look-up
 * is of another route, in an order that no cache or branch predictor knows. */

#include "base/mem.h"
#include "http/head.h"
#include "proxy/route_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUTES_MAX = 10000, LOOKUPS = 400000, ROUNDS = 5 };

static struct route *routes[ROUTES_MAX];

struct request {
	char host[64], path[64], value[16];
};
static struct request requests[ROUTES_MAX];

enum shape { BY_HOST, BY_SUFFIX, BY_PATH, BY_HEADER };
static const char *const shapes[] = {[BY_HOST] = "by host and path",
        [BY_SUFFIX] = "by *. suffix and path",
        [BY_PATH] = "by path alone",
        [BY_HEADER] = "by header"};

static void make_route(enum shape shape, size_t i)
{
	struct request *q = &requests[i];
	struct route *r = routes[i] = route_new("r");
	char domain[48];
	snprintf(domain, sizeof domain, "app%zu.example.com", i / 4);
	snprintf(q->host, sizeof q->host, "%s%s", shape == BY_SUFFIX ? "www." : "", domain);
	snprintf(q->path, sizeof q->path, "/service%zu/", shape == BY_HEADER ? 0 : i);
	snprintf(q->value, sizeof q->value, "tenant%zu", i);
	r->path = mem_strdup(q->path);
	r->prefix = true;
	if (shape == BY_HOST)
		route_add_host(r, domain);
	if (shape == BY_SUFFIX) {
		snprintf(domain, sizeof domain, "*.app%zu.example.com", i / 4);
		route_add_host(r, domain);
	}
	if (shape == BY_HEADER)
		route_add_condition(r, CONDITION_HEADER, "X-Tenant", q->value);
	/* Longer than the route's own path, as a request's is. */
	snprintf(q->path + strlen(q->path), sizeof q->path - strlen(q->path), "room/42");
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A head as browsers send it; the tenant's header is the last but one. */
static void make_head(struct http_head *h)
{
	static const char *const names[] = {"Host", "Connection", "Pragma", "Cache-Control",
	        "User-Agent", "Upgrade", "Origin", "Sec-WebSocket-Version", "Accept-Encoding",
	        "Accept-Language", "X-Tenant", "Sec-WebSocket-Key"};
	for (h->n = 0; h->n < sizeof names / sizeof names[0]; h->n++)
		h->field[h->n] = (struct http_field){
		        .name = slice_str(names[h->n]), .value = SLICE("value")};
}

static uint64_t look_up(const struct route_table *t, size_t n, size_t *missed)
{
	static struct http_head h;
	uint32_t x = 1;
	make_head(&h);
	uint64_t start = now_ns();
	for (size_t i = 0; i < LOOKUPS; i++) {
		x = x * 1664525 + 1013904223;
		size_t k = (x >> 8) % n;
		const struct request *r = &requests[k];
		h.field[10].value = slice_str(r->value);
		struct route_query q = {
		        .host = slice_str(r->host), .path = slice_str(r->path), .head = &h};
		*missed += route_find(t, &q) != routes[k];
	}
	return now_ns() - start;
}

/* The best of some rounds: others use the machine too. */
static double measure(enum shape shape, size_t n)
{
	uint64_t best = UINT64_MAX;
	size_t missed = 0;
	for (size_t i = 0; i < n; i++)
		make_route(shape, i);
	struct route_table *t = route_table_new(routes, n);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t took = look_up(t, n, &missed);
		best = took < best ? took : best;
	}
	route_table_unref(t);
	for (size_t i = 0; i < n; i++)
		route_unref(routes[i]);
	if (missed > 0) {
		fprintf(stderr, "routes: %zu requests went astray\n", missed);
		exit(1);
	}
	return (double)best / LOOKUPS;
}

int main(void)
{
	static const size_t numbers[] = {10, 100, 1000, 10000};
	bool good = true;
	printf("%-24s %8s %8s %8s %8s   ns a look-up\n", "routes", "10", "100", "1000", "10000");
	for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
		double first = 0, last = 0;
		printf("%-24s", shapes[s]);
		for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
			last = measure((enum shape)s, numbers[i]);
			first = i == 0 ? last : first;
			printf(" %8.0f", last);
		}
		bool within = last - first <= 2000;
		good = good && within;
		printf("   %+.0f%s\n", last - first, within ? "" : ", over 2000");
	}
	return good ? 0 : 1;
}
