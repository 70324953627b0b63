/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/limits.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Of the process: standard streams, log, epoll, signals, wake-ups, and some air for
 * files that are open for a moment. Of a worker: epoll, wake-up, timer, the
 * spare descriptor, the resolver; its listening sockets come on top. */
enum { OWN_PROCESS = 32, OWN_WORKER = 8, PER_SESSION = 2 };

unsigned limits_processors(void)
{
	/* The call fails while the set is smaller than the kernel's. */
	for (size_t n = 1024; n <= 1024 * 1024; n *= 4) {
		cpu_set_t *set = CPU_ALLOC(n);
		size_t size = CPU_ALLOC_SIZE(n);
		bool good = set && sched_getaffinity(0, size, set) == 0;
		int count = good ? CPU_COUNT_S(size, set) : 0;
		bool too_small = set && !good && errno == EINVAL;

		CPU_FREE(set);
		if (count > 0)
			return (unsigned)count;
		if (!too_small)
			break;
	}
	return 1;
}

uint64_t limits_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = {limit.rlim_max, limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur;
}

uint64_t limits_sessions(uint64_t descriptors, unsigned workers, size_t binds)
{
	uint64_t own = OWN_PROCESS + (uint64_t)workers * (OWN_WORKER + binds);

	return descriptors > own ? (descriptors - own) / PER_SESSION : 0;
}
