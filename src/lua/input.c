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

static void forget_kept(struct lua_input *in)
{
	mem_free(in->kept);
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
		uint8_t *kept = size <= UINT32_MAX ? mem_try(size) : NULL;
		if (!kept)
			return false;
		if (have)
			memcpy(kept, in->kept + in->start, have);
		mem_free(in->kept);
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
	if (in->is_paused && kept_len(in) < LUA_INPUT_MAX / 2) {
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
