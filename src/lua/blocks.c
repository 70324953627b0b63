/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/blocks.h"

#include "base/budget.h"
#include "net/worker.h"

/* At the front of each. */
struct lua_block {
	struct lua_block *next;
	size_t size;
};

enum { LOOKED_AT = 8 }; /* blocks, before it is said that none fits */

static void on_timer(struct timer *t)
{
	struct lua_blocks *b = list_entry(t, struct lua_blocks, timer);
	if (!b->is_used) {
		lua_blocks_drop(b);
		return;
	}
	b->is_used = false;
	worker_timer(b->worker, t, b->worker->now_ms + LUA_BLOCKS_IDLE_MS);
}

void lua_blocks_init(struct lua_blocks *b, struct worker *worker,
        void *(*alloc)(void *ud, void *p, size_t old, size_t size), void *alloc_ud)
{
	*b = (struct lua_blocks){.worker = worker, .alloc = alloc, .alloc_ud = alloc_ud};
	timer_init(&b->timer, on_timer);
}

static void count(struct lua_blocks *b, ptrdiff_t bytes)
{
	b->bytes += (size_t)bytes;
	budget_take(bytes);
}

/* What is too large by more than a quarter would be wasted. */
static bool fits(const struct lua_block *block, size_t size)
{
	return block->size >= size && block->size - size <= size / 4;
}

void *lua_blocks_take(struct lua_blocks *b, size_t size)
{
	struct lua_block **at = &b->first;
	for (int n = 0; *at && n < LOOKED_AT; n++, at = &(*at)->next) {
		struct lua_block *block = *at;
		if (!fits(block, size))
			continue;
		*at = block->next;
		count(b, -(ptrdiff_t)block->size);
		b->is_used = true;
		return block;
	}
	return NULL;
}

bool lua_blocks_keep(struct lua_blocks *b, void *at, size_t size, size_t most)
{
	struct lua_block *block = at;
	if (!b->worker || size < sizeof *block || size > most || b->bytes > most - size ||
	        budget_is_short())
		return false;
	*block = (struct lua_block){.next = b->first, .size = size};
	b->first = block;
	count(b, (ptrdiff_t)size);
	if (!timer_is_set(&b->timer)) {
		b->is_used = true;
		worker_timer(b->worker, &b->timer, b->worker->now_ms + LUA_BLOCKS_IDLE_MS);
	}
	return true;
}

void lua_blocks_drop(struct lua_blocks *b)
{
	if (b->worker)
		timer_clear(&b->worker->wheel, &b->timer);
	while (b->first) {
		struct lua_block *block = b->first;
		b->first = block->next;
		count(b, -(ptrdiff_t)block->size);
		b->alloc(b->alloc_ud, block, block->size, 0);
	}
}
