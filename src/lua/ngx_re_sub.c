/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_re_sub.h"

#include "lua/args.h"
#include "lua/ngx.h"
#include "lua/re_vm.h"
#include "lua/room.h"

/* ---- templates: $1, ${1} and $$ ---- */

/* Reads what is behind a $. Returns how many bytes that were, 0 for what is none of these;
 * *group is -1 for $$. */
static size_t read_dollar(struct slice s, int *group)
{
	size_t i = 0;
	bool braced = s.len > 0 && s.at[0] == '{';

	if (s.len > 0 && s.at[0] == '$') {
		*group = -1;
		return 1;
	}
	*group = 0;
	i += braced;
	size_t first = i;
	for (; i < s.len && s.at[i] >= '0' && s.at[i] <= '9'; i++)
		*group = *group < 1000000 ? *group * 10 + s.at[i] - '0' : *group;
	if (i == first)
		return 0;
	if (!braced)
		return i;
	return i < s.len && s.at[i] == '}' ? i + 1 : 0;
}

/* What the template's next part is: text, or a group's number >= 0. Takes it off the front.
 * False at its end and, with *bad, at what cannot be read. */
static bool next_part(struct slice *left, struct slice *text, int *group, bool *bad)
{
	*bad = false;
	*group = -1;
	if (left->len == 0)
		return false;
	const uint8_t *dollar = memchr(left->at, '$', left->len);
	size_t used = dollar ? (size_t)(dollar - left->at) : left->len;
	*text = slice_of(left->at, used);
	if (used == 0) {
		used = read_dollar(slice_of(left->at + 1, left->len - 1), group);
		*bad = used == 0;
		*text = slice_of(left->at, 1);
		used++;
	}
	*left = slice_of(left->at + used, left->len - used);
	return !*bad;
}

static bool is_good(struct slice template)
{
	struct slice text;
	int group;
	bool bad;

	while (next_part(&template, &text, &group, &bad))
		;
	return !bad;
}

static void expand(const struct re_call *c, struct slice template, struct room *out)
{
	struct slice text;
	int group;
	bool bad;

	while (next_part(&template, &text, &group, &bad)) {
		if (group >= 0)
			text = re_call_group(c, (size_t)group);
		room_add(out, text);
	}
}

/* Replaces as often as it is to be. Returns a code below 0, or how often that was. */
static int replace_all(struct re_call *c, struct slice template, bool global, struct room *out)
{
	size_t at = 0, copied = 0;
	int count = 0;

	while (at <= c->subject.len) {
		int rc = re_call_exec(c, at);
		if (rc == REGEX_NO_MATCH)
			break;
		if (rc < 0)
			return rc;
		size_t from = c->spans[0] > copied ? c->spans[0] : copied;
		room_add(out, slice_of(c->subject.at + copied, from - copied));
		expand(c, template, out);
		copied = c->spans[1];
		at = re_call_next(c);
		count++;
		if (!global)
			break;
	}
	if (count > 0)
		room_add(out, slice_of(c->subject.at + copied, c->subject.len - copied));
	return count;
}

static int refuse(lua_State *L)
{
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushvalue(L, -3);
	return 3;
}

int ngx_re_plain_sub(lua_State *L)
{
	struct re_call c;
	struct room out;

	lua_settop(L, 5);
	bool global = lua_toboolean(L, 5);
	if (!re_call_init(&c, L))
		return refuse(L);
	struct slice template = args_tostring(L, 4);
	int count = 0;
	if (is_good(template)) {
		room_init(&out, L);
		count = replace_all(&c, template, global, &out);
		if (count < 0)
			re_call_push_error(L, count);
	} else {
		lua_pushliteral(L, "failed to compile the replacement template");
		count = -1;
	}
	re_call_end(&c);
	if (count < 0)
		return refuse(L);
	if (count > 0)
		room_push(&out);
	else
		lua_pushvalue(L, 1);
	lua_pushinteger(L, count);
	return 2;
}

/* ---- split: subject, regex, opts, ctx, max, res ---- */

enum { CTX = 4, MAX, RES };

struct splitting {
	struct re_call call;
	size_t at;    /* where to look */
	size_t piece; /* where the next piece begins */
	lua_Number max;
	int found, stored;
};

/* Takes the value on top of the stack. */
static void store(lua_State *L, struct splitting *s)
{
	lua_rawseti(L, RES, ++s->stored);
}

static void store_piece(lua_State *L, struct splitting *s, size_t end)
{
	lua_pushlstring(L, (const char *)s->call.subject.at + s->piece, end - s->piece);
	store(L, s);
}

/* Stores the pieces but the last. Returns a code below 0 or 0. */
static int split_all(lua_State *L, struct splitting *s)
{
	struct re_call *c = &s->call;

	while (s->piece < c->subject.len && (s->max <= 0 || s->found + 1 < s->max)) {
		int rc = re_call_exec(c, s->at);
		if (rc == REGEX_NO_MATCH)
			return 0;
		if (rc < 0)
			return rc;
		s->at = re_call_next(c);
		/* What separates nothing from nothing is no separator. */
		if (c->spans[0] == c->spans[1] && c->spans[0] <= s->piece)
			continue;
		store_piece(L, s, c->spans[0] > s->piece ? c->spans[0] : s->piece);
		struct slice group = re_call_group(c, 1);
		if (group.at) {
			lua_pushlstring(L, (const char *)group.at, group.len);
			store(L, s);
		}
		s->found++;
		s->piece = c->spans[1];
	}
	return 0;
}

/* The last piece; without a maximum, empty ones at the end are left away. */
static void finish(lua_State *L, struct splitting *s)
{
	if (s->max > 0 || s->piece < s->call.subject.len) {
		store_piece(L, s, s->call.subject.len);
	} else {
		for (; s->stored > 0; s->stored--) {
			lua_rawgeti(L, RES, s->stored);
			bool empty = lua_objlen(L, -1) == 0;
			lua_pop(L, 1);
			if (!empty)
				break;
			lua_pushnil(L);
			lua_rawseti(L, RES, s->stored);
		}
	}
	lua_pushnil(L);
	lua_rawseti(L, RES, s->stored + 1);
}

/* ctx.pos counts from 1 before, and from 0 afterwards, as ngx_lua leaves it. */
static size_t begin_at(lua_State *L)
{
	if (!re_call_table(L, CTX, "ctx"))
		return 0;
	lua_getfield(L, CTX, "pos");
	lua_Number pos = lua_tonumber(L, -1);
	lua_pop(L, 1);
	if (!(pos > 1))
		return 0;
	return pos < (lua_Number)(SIZE_MAX >> 12) ? (size_t)(pos - 1) : SIZE_MAX >> 12;
}

static void push_empty(lua_State *L)
{
	lua_pushnil(L);
	lua_rawseti(L, RES, 1);
	lua_pushvalue(L, RES);
}

static int split(lua_State *L)
{
	struct splitting s = {0};

	lua_settop(L, 6);
	struct slice subject = args_tostring(L, 1);
	if (lua_toboolean(L, MAX) && lua_type(L, MAX) != LUA_TNUMBER)
		return luaL_error(L, "attempt to compare number with %s", luaL_typename(L, MAX));
	s.max = lua_tonumber(L, MAX);
	s.at = s.piece = begin_at(L);
	if (!lua_toboolean(L, RES)) {
		lua_createtable(L, 4, 0);
		lua_replace(L, RES);
	} else if (!lua_istable(L, RES)) {
		return luaL_error(L, "res is not a table");
	}
	if (s.at >= subject.len) {
		push_empty(L);
		return 1;
	}
	if (!re_call_init(&s.call, L)) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	int rc = split_all(L, &s);
	re_call_end(&s.call);
	if (lua_toboolean(L, CTX)) {
		lua_pushnumber(L, (lua_Number)s.at);
		lua_setfield(L, CTX, "pos");
	}
	if (rc < 0) {
		lua_pushnil(L);
		re_call_push_error(L, rc);
		return 2;
	}
	finish(L, &s);
	lua_pushvalue(L, RES);
	return 1;
}

static int opt(lua_State *L)
{
	const char *name = lua_tostring(L, 1);

	if (!name || strcmp(name, "jit_stack_size") != 0)
		return luaL_error(L, "unrecognized option name");
	if (!re_vm_is_unused(L))
		return luaL_error(L,
		        "changing jit stack size is not allowed when some regexs have already "
		        "been compiled and cached");
	if (!re_vm_set_jit_stack(L, luaL_checknumber(L, 2)))
		return luaL_error(L, "PCRE jit stack allocation failed");
	return 0;
}

static int is_regex_cache_empty(lua_State *L)
{
	lua_pushboolean(L, re_vm_is_unused(L));
	return 1;
}

/* Results grow as they need. */
static int set_buf_grow_ratio(lua_State *L)
{
	(void)L;
	return 0;
}

static int push_module(lua_State *L, const luaL_Reg *functions)
{
	lua_createtable(L, 0, 3);
	re_vm_push(L);
	luaL_setfuncs(L, functions, RE_VM_UPVALUES);
	lua_pushliteral(L, NGX_CORE_VERSION);
	lua_setfield(L, -2, "version");
	return 1;
}

int ngx_re_core_module(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"is_regex_cache_empty", is_regex_cache_empty},
	        {"set_buf_grow_ratio", set_buf_grow_ratio},
	        {NULL, NULL},
	};

	return push_module(L, functions);
}

int ngx_re_module(lua_State *L)
{
	static const luaL_Reg functions[] = {
	        {"split", split},
	        {"opt", opt},
	        {NULL, NULL},
	};

	return push_module(L, functions);
}
