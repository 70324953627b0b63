/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/totals.h"

#include "base/mem.h"
#include "lua/worker.h"
#include "net/worker.h"
#include "proxy/proxy.h"
#include "upstream/dial.h"

void totals_add(struct log_line *l, const struct counter_info *info, unsigned counters,
        const counter *const *sets, size_t n)
{
	for (unsigned c = 0; c < counters; c++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += counter_get(&sets[i][c]);
		log_unum(l, info[c].name, sum);
	}
}

const struct counter_info daemon_counter_info[] = {DAEMON_COUNTERS(COUNTER_INFO)};
const unsigned daemon_counter_n = sizeof(daemon_counter_info) / sizeof(daemon_counter_info[0]);

/* The structs that COUNTER_FIELD makes are nothing but counters. */
_Static_assert(sizeof(struct net_counters) % sizeof(counter) == 0, "an array of counters");
_Static_assert(sizeof(struct upstream_counters) % sizeof(counter) == 0, "an array of counters");
_Static_assert(sizeof(struct lua_counters) % sizeof(counter) == 0, "an array of counters");
_Static_assert(sizeof(struct proxy_counters) % sizeof(counter) == 0, "an array of counters");

void totals_log(const struct worker *const *workers, const struct proxy *const *proxies, size_t n,
        const struct daemon_counters *daemon)
{
	const counter *of_daemon = (const counter *)daemon;
	const counter **sets = mem_new(n * sizeof(const counter *));
	struct log_line l;

	log_begin(&l, LOG_LEVEL_INFO, "totals");
	for (size_t i = 0; i < n; i++)
		sets[i] = (const counter *)&workers[i]->counters;
	totals_add(&l, net_counter_info, net_counter_n, sets, n);
	for (size_t i = 0; i < n; i++) {
		const struct upstream_worker *u = workers[i]->layer[WORKER_UPSTREAM];

		sets[i] = (const counter *)&u->counters;
	}
	totals_add(&l, upstream_counter_info, upstream_counter_n, sets, n);
	for (size_t i = 0; i < n; i++)
		sets[i] = (const counter *)proxy_counters(proxies[i]);
	totals_add(&l, proxy_counter_info, proxy_counter_n, sets, n);
	for (size_t i = 0; i < n; i++)
		sets[i] = (const counter *)lua_worker_counters(lua_worker_of(workers[i]));
	totals_add(&l, lua_counter_info, lua_counter_n, sets, n);
	totals_add(&l, daemon_counter_info, daemon_counter_n, &of_daemon, 1);
	log_unum(&l, "log_lost", log_lost());
	log_unum(&l, "access_log_lost", log_access_lost());
	log_end(&l);
	mem_free(sets);
}
