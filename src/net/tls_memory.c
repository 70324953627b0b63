/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_memory.h"

#include "base/budget.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

/* A record with its head, tag and padding, as OpenSSL asks for it. */
enum { RECORD_MIN = 16 * 1024, RECORD_MAX = RECORD_MIN + 1024 };

/* A kept buffer is one whose misuse AddressSanitizer would not see. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { SPARES_MAX = 0 };
#else
enum { SPARES_MAX = 4 };
#endif

struct spare {
	struct spare *next;
};
static _Thread_local struct spare *spares;
static _Thread_local int spare_n;

static void *counted(void *p)
{
	if (p)
		budget_take((int64_t)malloc_usable_size(p));
	return p;
}

static void *take_spare(void)
{
	struct spare *p = spares;
	spares = p->next;
	spare_n--;
	return p;
}

static void *on_malloc(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	if (size >= RECORD_MIN && size <= RECORD_MAX) {
		if (spare_n > 0)
			return take_spare();
		size = RECORD_MAX;
	}
	return counted(malloc(size));
}

static void on_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	size_t size = malloc_usable_size(p);
	if (size >= RECORD_MAX && size < RECORD_MAX + 64 && spare_n < SPARES_MAX) {
		struct spare *spare = p;
		spare->next = spares;
		spares = spare;
		spare_n++;
		return;
	}
	budget_take(-(int64_t)size);
	free(p);
}

static void *on_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file, (void)line;
	int64_t before = (int64_t)malloc_usable_size(p);
	void *grown = realloc(p, size);
	if (!grown && size > 0)
		return NULL;
	budget_take(-before);
	return counted(grown);
}

void tls_memory_init(void)
{
	CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free);
}

void tls_memory_thread_fini(void)
{
	while (spare_n > 0) {
		void *p = take_spare();
		budget_take(-(int64_t)malloc_usable_size(p));
		free(p);
	}
}
