/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Two kinds of allocation. Those whose size and number we decide abort when
 * they fail; those that a peer decides are checked against a setting by their
 * caller first, may fail, and then end that one session. All are counted in the
 * budget (budget.h), at whose limit the second kind fails. Any thread. */

#include <stddef.h>

/* Never NULL. The bytes are zero. */
void *mem_new(size_t size);
/* A copy of a string; never NULL. */
char *mem_strdup(const char *s);
/* What printf would print; never NULL. */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Like realloc; never NULL. */
void *mem_resize(void *p, size_t size);
/* NULL when memory is short (fault name: alloc). The bytes are not cleared. */
void *mem_try(size_t size);
void mem_free(void *p);
