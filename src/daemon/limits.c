/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/limits.h"

#include "config/config.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

void limits_raise_stack(void)
{
	static const rlim_t wanted = 64 * 1024 * 1024;
	struct rlimit limit;

	if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	setrlimit(RLIMIT_STACK, &limit);
}

uint64_t limits_sessions(uint64_t descriptors, unsigned workers, size_t binds)
{
	uint64_t own = OWN_PROCESS + (uint64_t)workers * (OWN_WORKER + binds);

	return descriptors > own ? (descriptors - own) / PER_SESSION : 0;
}

/* ---- memory ---- */

enum { PATH_LEN = 4352 };
/* A limit that large is none: version 1 writes one for that. */
#define NO_LIMIT (UINT64_C(1) << 60)

/* NO_LIMIT when the file is not there, or says so. */
static uint64_t read_limit(const char *folder, const char *file)
{
	char path[PATH_LEN + 64];
	uint64_t bytes = NO_LIMIT;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	FILE *f = fopen(path, "re");
	if (!f)
		return NO_LIMIT;
	if (fscanf(f, "%" SCNu64, &bytes) != 1 || bytes > NO_LIMIT)
		bytes = NO_LIMIT;
	fclose(f);
	return bytes;
}

/* The least limit of the group and those above it. In a container the path may be the
 * host's, of which nothing is there but the mount itself: the container's own group. */
static uint64_t least_limit(const char *mount, const char *group, const char *file)
{
	char folder[PATH_LEN];
	size_t root = strlen(mount);
	uint64_t least = NO_LIMIT;

	snprintf(folder, sizeof(folder), "%s%s", mount, strstr(group, "/..") ? "" : group);
	for (;;) {
		uint64_t bytes = read_limit(folder, file);
		char *last = strrchr(folder, '/');

		least = bytes < least ? bytes : least;
		if (!last || last < folder + root)
			return least;
		*last = '\0';
	}
}

static bool lists_memory(const char *controllers)
{
	for (const char *at = controllers; *at;) {
		size_t len = strcspn(at, ",");

		if (len == 6 && memcmp(at, "memory", 6) == 0)
			return true;
		at += len + (at[len] == ',');
	}
	return false;
}

/* A line of /proc/self/cgroup: number, controllers (none: version 2), path. */
static void take_line(char *line, const char *root, struct limits_memory *out)
{
	char mount[PATH_LEN];
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!group)
		return;
	*controllers++ = *group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	bool is_v2 = *controllers == '\0';
	if (!is_v2 && !lists_memory(controllers))
		return;
	snprintf(mount, sizeof(mount), "%s/sys/fs/cgroup%s", root, is_v2 ? "" : "/memory");
	uint64_t bytes = least_limit(mount, group, is_v2 ? "memory.max" : "memory.limit_in_bytes");
	if (bytes < out->bytes)
		*out = (struct limits_memory){bytes, is_v2};
}

bool limits_memory(const char *root, struct limits_memory *out)
{
	char path[PATH_LEN];
	char *line = NULL;
	size_t room = 0;

	*out = (struct limits_memory){.bytes = NO_LIMIT};
	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (getline(&line, &room, f) > 0)
		take_line(line, root, out);
	free(line);
	fclose(f);
	return out->bytes < NO_LIMIT;
}

uint64_t limits_budget(uint64_t memory_max)
{
	struct limits_memory limit;

	if (memory_max == CONFIG_MEMORY_OFF)
		return 0;
	if (memory_max != CONFIG_MEMORY_AUTO)
		return memory_max;
	if (!limits_memory("", &limit))
		return 0;
	return limit.counts_sockets ? limit.bytes / 2 : limit.bytes / 4 * 3;
}
