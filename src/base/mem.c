/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"

#include "base/budget.h"
#include "base/fault.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
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

static int64_t size_of(void *p)
{
	return (int64_t)malloc_usable_size(p);
}

static void *counted(void *p)
{
	budget_take(size_of(p));
	return p;
}

void *mem_new(size_t size)
{
	return counted(checked(calloc(1, size ? size : 1)));
}

char *mem_strdup(const char *s)
{
	return counted(checked(strdup(s)));
}

char *mem_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return counted(checked(text));
}

void *mem_resize(void *p, size_t size)
{
	budget_take(-size_of(p));
	return counted(checked(realloc(p, size ? size : 1)));
}

void *mem_try(size_t size)
{
	void *p = fault_next("alloc") == 0 && budget_has(size) ? malloc(size ? size : 1) : NULL;

	if (!p) {
		errno = ENOMEM;
		return NULL;
	}
	return counted(p);
}

void mem_free(void *p)
{
	if (!p)
		return;
	budget_take(-size_of(p));
	free(p);
}
