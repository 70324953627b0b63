/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"
#include "daemon/exit.h"
#include "daemon/limits.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static void setup(void)
{
	strcpy(root, "/tmp/moongate-limits-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file below the root, and the folders it lies in. */
static void put(const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void is_none(void)
{
	struct limits_memory m;
	ck_assert(!limits_memory(root, &m));
}

static void is(uint64_t bytes, bool counts_sockets)
{
	struct limits_memory m;
	ck_assert(limits_memory(root, &m));
	ck_assert_uint_eq(m.bytes, bytes);
	ck_assert_int_eq(m.counts_sockets, counts_sockets);
}

START_TEST(nothing_is_known)
{
	is_none();
	put("/proc/self/cgroup", "");
	is_none();
	put("/proc/self/cgroup", "nonsense\n\n:\n::\n0:\n1:memory\n5:memory:\n0::\n");
	is_none();
	put("/proc/self/cgroup", "0::/a/b\n4:memory:/a/b\n");
	is_none();
}
END_TEST

START_TEST(version_2)
{
	put("/proc/self/cgroup", "0::/system.slice/moongate.service\n");
	put("/sys/fs/cgroup/system.slice/moongate.service/memory.max", "max\n");
	put("/sys/fs/cgroup/system.slice/memory.max", "max\n");
	is_none();
	put("/sys/fs/cgroup/system.slice/moongate.service/memory.max", "67108864\n");
	is(67108864, true);
	put("/sys/fs/cgroup/system.slice/memory.max", "33554432\n");
	is(33554432, true);
	put("/sys/fs/cgroup/system.slice/moongate.service/memory.max", "1000000\n");
	is(1000000, true);
}
END_TEST

/* In a namespace the group is the mount's root. */
START_TEST(version_2_in_a_container)
{
	put("/proc/self/cgroup", "0::/\n");
	put("/sys/fs/cgroup/memory.max", "5000000\n");
	is(5000000, true);
	put("/proc/self/cgroup", "0::/../../elsewhere\n");
	put("/sys/fs/elsewhere/memory.max", "1\n");
	is(5000000, true);
}
END_TEST

START_TEST(version_1)
{
	put("/proc/self/cgroup",
	        "9:name=systemd:/\n4:cpu,memory,pids:/moon/gate\n3:memory_other:/x\n0::/\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("/sys/fs/cgroup/memory/moon/gate/memory.limit_in_bytes", "9223372036854771712\n");
	put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "1\n");
	is_none();
	put("/sys/fs/cgroup/memory/moon/gate/memory.limit_in_bytes", "67108864\n");
	is(67108864, false);
	put("/sys/fs/cgroup/memory/moon/memory.limit_in_bytes", "50331648\n");
	is(50331648, false);
}
END_TEST

/* The path is the host's: only the mount is there. */
START_TEST(version_1_in_a_container)
{
	put("/proc/self/cgroup", "4:memory:/docker/0123456789abcdef\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "7000000\n");
	is(7000000, false);
}
END_TEST

START_TEST(broken_files)
{
	char line[9000] = "0::/";
	put("/proc/self/cgroup", "0::/a:b\n");
	put("/sys/fs/cgroup/a:b/memory.max", "");
	is_none();
	put("/sys/fs/cgroup/a:b/memory.max", "-1\n");
	is_none();
	put("/sys/fs/cgroup/a:b/memory.max", "many\n");
	is_none();
	put("/sys/fs/cgroup/a:b/memory.max", "99999999999999999999999\n");
	is_none();
	put("/sys/fs/cgroup/a:b/memory.max", "4096");
	is(4096, true);
	memset(line + 4, 'x', sizeof(line) - 6);
	put("/proc/self/cgroup", line);
	is_none();
}
END_TEST

START_TEST(memory_max)
{
	ck_assert_uint_eq(limits_budget(CONFIG_MEMORY_OFF), 0);
	ck_assert_uint_eq(limits_budget(12345678), 12345678);
	struct limits_memory m;
	bool has_limit = limits_memory("", &m);
	uint64_t automatic = limits_budget(CONFIG_MEMORY_AUTO);
	ck_assert_int_eq(automatic > 0, has_limit);
	if (has_limit)
		ck_assert_uint_lt(automatic, m.bytes);
}
END_TEST

static enum exit_status exit_by(int first, int second)
{
	struct config_errors e = {.text = NULL};
	config_errors_add(&e, first, "one");
	config_errors_add(&e, second, "another");
	enum exit_status status = exit_for(&e);
	config_errors_free(&e);
	return status;
}

START_TEST(exit_statuses)
{
	static const int means[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
	static const int faults[] = {EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOENT, EEXIST, EINVAL, 0};
	for (size_t i = 0; i < sizeof(means) / sizeof(means[0]); i++)
		ck_assert_int_eq(exit_by(means[i], means[0]), EXIT_FAILED);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		ck_assert_int_eq(exit_by(faults[i], means[0]), EXIT_CONFIG);
		ck_assert_int_eq(exit_by(means[0], faults[i]), EXIT_CONFIG);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon/limits");
	TCase *t = tcase_create("limits");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, nothing_is_known);
	tcase_add_test(t, version_2);
	tcase_add_test(t, version_2_in_a_container);
	tcase_add_test(t, version_1);
	tcase_add_test(t, version_1_in_a_container);
	tcase_add_test(t, broken_files);
	tcase_add_test(t, memory_max);
	tcase_add_test(t, exit_statuses);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
