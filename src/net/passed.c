/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/passed.h"

#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, PASSED_MAX = 256, NAME_LEN_MAX = 255 };

static unsigned count;
static char *names[PASSED_MAX];

bool passed_is_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (name[i] <= 0x20 || name[i] >= 0x7f || name[i] == ':')
			return false;
	return len >= 1 && len <= NAME_LEN_MAX;
}

/* Digits only; -1 for anything else. */
static long number(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 9 && strspn(text, "0123456789") == len ? atol(text) : -1;
}

/* The next of the names between colons; what has none is called as systemd calls it. */
static char *next_name(const char **at)
{
	size_t len = strcspn(*at, ":");
	char *name = len > 0 ? strndup(*at, len) : mem_strdup("unknown");

	if (!name)
		abort();
	*at += len;
	*at += **at == ':';
	return name;
}

static bool take(const char *fds, const char *fdnames, char why[160])
{
	long n = number(fds);

	if (n < 0 || n > PASSED_MAX) {
		snprintf(why, 160, "LISTEN_FDS = %.40s: want a number of 0..%d", fds, PASSED_MAX);
		return false;
	}
	for (; count < (unsigned)n; count++) {
		int fd = FIRST_FD + (int)count;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
			snprintf(why, 160, "LISTEN_FDS = %ld: descriptor %d is not open", n, fd);
			return false;
		}
		names[count] = next_name(&fdnames);
	}
	return true;
}

bool passed_init(char why[160])
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *fdnames = getenv("LISTEN_FDNAMES");
	/* For another process, which started this one, unless the number is ours. */
	bool good;

	while (count > 0)
		mem_free(names[--count]);
	good = !pid || !fds || number(pid) != getpid() || take(fds, fdnames ? fdnames : "", why);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return good;
}

unsigned passed_n(void)
{
	return count;
}

const char *passed_name(unsigned i)
{
	return names[i];
}

int passed_fd(unsigned i)
{
	return FIRST_FD + (int)i;
}

unsigned passed_count(const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		n += strcmp(names[i], name) == 0;
	return n;
}

int passed_find(const char *name, unsigned index)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0 && index-- == 0)
			return passed_fd(i);
	return -1;
}
