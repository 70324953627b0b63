/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"

#include "base/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Says so without allocating, then aborts. */
static void *checked(void *p)
{
	static const char text[] = "moongate: out of memory\n";

	if (!p) {
		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			abort();
		abort();
	}
	return p;
}

void *mem_new(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

char *mem_strdup(const char *s)
{
	return checked(strdup(s));
}

void *mem_resize(void *p, size_t size)
{
	return checked(realloc(p, size ? size : 1));
}

void *mem_try(size_t size)
{
	if (fault_next("alloc") != 0) {
		errno = ENOMEM;
		return NULL;
	}
	return malloc(size ? size : 1);
}

void mem_free(void *p)
{
	free(p);
}
