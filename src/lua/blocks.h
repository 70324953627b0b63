/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Large blocks that a VM's collector has freed, kept for a moment for the next large strings.
 * LuaJIT's allocator gives each of them back to the kernel, which takes longer to hand out and to
 * clear new pages than a message of that size takes to receive, unmask and send.
 *
 * They count in the memory budget as long as they are kept. When for a while none was wanted they
 * all go. One worker's thread. */

#include "net/wheel.h"

#include <stdbool.h>
#include <stddef.h>

struct worker;

enum {
	LUA_BLOCK_MIN = 128 * 1024, /* smaller ones LuaJIT keeps itself */
	LUA_BLOCKS_IDLE_MS = 1000,  /* after one to two of these without use they go */
};

struct lua_blocks {
	struct lua_block *first; /* the one freed last, which the cache knows best */
	size_t bytes;            /* of all */
	struct worker *worker;   /* NULL: none are kept */
	struct timer timer;
	bool is_used; /* one was taken since it was set, or kept as the first */
	void *(*alloc)(void *ud, void *p, size_t old, size_t size); /* whose they are */
	void *alloc_ud;
};

/* worker: may be NULL. alloc: a lua_Alloc. */
void lua_blocks_init(struct lua_blocks *b, struct worker *worker,
        void *(*alloc)(void *ud, void *p, size_t old, size_t size), void *alloc_ud);
/* A block of so many bytes or a little more, or NULL. */
void *lua_blocks_take(struct lua_blocks *b, size_t size);
/* Keeps a block that is free, if all of them have `most` bytes at most then. False: it is the
 * caller's to free. */
bool lua_blocks_keep(struct lua_blocks *b, void *at, size_t size, size_t most);
/* Frees all. */
void lua_blocks_drop(struct lua_blocks *b);
