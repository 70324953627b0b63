/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/input.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

enum { FIRST_SIZE = 512, AHEAD = 4 };

static size_t kept_len(const struct lua_input *in)
{
	return in->end - in->start;
}

/* A large buffer that was given back, for the next large frame: the allocator would give its pages
 * back to the kernel, which costs more than all copies of the frame. One for each worker. */
enum { SPARE_MIN = 64 * 1024, SPARE_MAX = 4 * 1024 * 1024 };
static _Thread_local struct {
	uint8_t *at;
	uint32_t size;
} spare;

void lua_input_drop_spare(void)
{
	mem_free(spare.at);
	spare.at = NULL;
	spare.size = 0;
}

static void give_buffer(uint8_t *at, uint32_t size)
{
	if (size < SPARE_MIN || size > SPARE_MAX || size <= spare.size) {
		mem_free(at);
		return;
	}
	lua_input_drop_spare();
	spare.at = at;
	spare.size = size;
}

/* At least *size bytes, which says how many it is then. NULL: memory is short. */
static uint8_t *take_buffer(size_t *size)
{
	uint8_t *at = spare.at;
	if (*size < SPARE_MIN || *size > spare.size)
		return *size <= UINT32_MAX ? mem_try(*size) : NULL;
	*size = spare.size;
	spare.at = NULL;
	spare.size = 0;
	return at;
}

static void forget_kept(struct lua_input *in)
{
	give_buffer(in->kept, in->size);
	in->kept = NULL;
	in->start = in->end = in->size = 0;
}

/* Room for so many bytes behind those that are kept. */
static bool reserve(struct lua_input *in, size_t more)
{
	size_t have = kept_len(in), want = have + more;
	if (in->size - in->end >= more)
		return true;
	if (in->size >= want) {
		memmove(in->kept, in->kept + in->start, have);
	} else {
		size_t size = in->size ? in->size * (size_t)2 : FIRST_SIZE;
		size = size < want ? want : size;
		/* Not all at once: it was only announced. */
		if (in->want > size)
			size = in->want < AHEAD * size ? in->want : AHEAD * size;
		uint8_t *kept = take_buffer(&size);
		if (!kept)
			return false;
		if (have)
			memcpy(kept, in->kept + in->start, have);
		give_buffer(in->kept, in->size);
		in->kept = kept;
		in->size = (uint32_t)size;
	}
	in->start = 0;
	in->end = (uint32_t)have;
	return true;
}

static bool keep_fresh(struct lua_input *in)
{
	if (in->fresh_len == 0)
		return true;
	if (!reserve(in, in->fresh_len))
		return false;
	memcpy(in->kept + in->end, in->fresh, in->fresh_len);
	in->end += (uint32_t)in->fresh_len;
	in->fresh_len = 0;
	return true;
}

bool lua_input_view(struct lua_input *in, uint8_t **at, size_t *len)
{
	if (kept_len(in) == 0) {
		*at = in->fresh;
		*len = in->fresh_len;
		return true;
	}
	if (!keep_fresh(in))
		return false;
	*at = in->kept + in->start;
	*len = kept_len(in);
	return true;
}

void lua_input_take(struct lua_input *in, size_t n)
{
	if (kept_len(in) == 0) {
		in->fresh += n;
		in->fresh_len -= n;
		return;
	}
	in->start += (uint32_t)n;
	if (in->start == in->end)
		forget_kept(in);
	if (in->is_paused && kept_len(in) < in->max * (size_t)LUA_INPUT_UNIT / 2) {
		in->is_paused = false;
		in->resume(in);
	}
}

void lua_input_await(struct lua_input *in, struct lua_wait *w, void (*more)(struct lua_input *in))
{
	in->reader = w;
	in->more = more;
	if (in->is_paused) {
		in->is_paused = false;
		in->resume(in);
	}
}

bool lua_input_serve(struct lua_input *in, uint8_t *buf, size_t len)
{
	in->fresh = buf;
	in->fresh_len = len;
	if (in->reader)
		in->more(in);
	bool kept = keep_fresh(in);
	in->fresh = NULL;
	in->fresh_len = 0;
	return kept;
}

void lua_input_end(struct lua_input *in, int error)
{
	in->is_eof = true;
	if (!in->error)
		in->error = error;
	if (in->reader)
		in->more(in);
}

void lua_input_fini(struct lua_input *in)
{
	forget_kept(in);
	in->fresh = NULL;
	in->fresh_len = 0;
}

int lua_input_push_end(lua_State *L, const struct lua_input *in)
{
	lua_pushnil(L);
	if (in->error)
		lua_push_errno(L, in->error);
	else
		lua_pushliteral(L, "closed");
	return 2;
}

void lua_push_errno(lua_State *L, int error)
{
	char words[LOG_ERRNO_MAX];
	log_errno_words(error, words);
	for (char *c = words; *c; c++)
		*c = (char)ascii_lower((uint8_t)*c);
	lua_pushstring(L, words);
}
