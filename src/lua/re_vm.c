/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/re_vm.h"

#include "lua/args.h"
#include "lua/finalizers.h"

struct re_vm {
	struct regex_engine *engine;
	struct ngx_re_limits limits;
	struct list kept; /* of struct re_pattern, the last used last */
	uint32_t kept_count;
	bool used; /* a pattern was kept */
};

struct re_pattern {
	struct regex regex;
	struct list kept;
	struct slice text; /* of the key in the table of patterns, while it is kept */
	bool was_kept;     /* others may use it */
};

/* Their addresses are keys of the registry. */
static const char vm_key, patterns_key, pattern_meta_key;

static void registry_get(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

/* Takes the value on top of the stack. */
static void registry_set(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)key);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static int vm_gc(lua_State *L)
{
	struct re_vm *vm = lua_finalized(L, vm_gc, sizeof(*vm));

	if (!vm)
		return 0;
	regex_engine_free(vm->engine);
	vm->engine = NULL;
	return 0;
}

static int pattern_gc(lua_State *L)
{
	struct re_pattern *p = lua_finalized(L, pattern_gc, sizeof(*p));

	if (p)
		regex_fini(&p->regex);
	return 0;
}

static void push_meta(lua_State *L, lua_CFunction gc)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, gc);
	lua_setfield(L, -2, "__gc");
}

static void create(lua_State *L)
{
	struct re_vm *vm = lua_newuserdata(L, sizeof(*vm));

	*vm = (struct re_vm){.limits = {.cache_max = 1024}};
	list_init(&vm->kept);
	push_meta(L, vm_gc);
	lua_setmetatable(L, -2);
	vm->engine = regex_engine_new();
	if (!vm->engine)
		luaL_error(L, "no memory");
	registry_set(L, &vm_key);
	lua_newtable(L);
	registry_set(L, &patterns_key);
	push_meta(L, pattern_gc);
	registry_set(L, &pattern_meta_key);
}

void re_vm_push(lua_State *L)
{
	registry_get(L, &vm_key);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		create(L);
		registry_get(L, &vm_key);
	}
	registry_get(L, &patterns_key);
}

static struct re_vm *vm_of(lua_State *L)
{
	return lua_touserdata(L, lua_upvalueindex(1));
}

/* ---- kept patterns: a table by options of tables by pattern ---- */

enum { PATTERNS = 2 }; /* the upvalue */

/* Pushes the table of these options. */
static void push_shelf(lua_State *L, unsigned options)
{
	lua_rawgeti(L, lua_upvalueindex(PATTERNS), (int)options);
	if (!lua_isnil(L, -1))
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_rawseti(L, lua_upvalueindex(PATTERNS), (int)options);
}

static void forget_oldest(lua_State *L, struct re_vm *vm)
{
	struct re_pattern *p = list_entry(vm->kept.next, struct re_pattern, kept);

	/* First what can raise an error. Lua frees the pattern when nobody uses it any more. */
	push_shelf(L, p->regex.options);
	lua_pushlstring(L, (const char *)p->text.at, p->text.len);
	lua_pushnil(L);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	list_remove(&p->kept);
	vm->kept_count--;
}

/* The pattern on top of the stack, whose text is argument 2. */
static void keep(lua_State *L, struct re_vm *vm, struct re_pattern *p, struct slice text)
{
	while (vm->kept_count >= vm->limits.cache_max)
		forget_oldest(L, vm);
	push_shelf(L, p->regex.options);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	p->text = text;
	p->was_kept = true;
	list_append(&vm->kept, &p->kept);
	vm->kept_count++;
	vm->used = true;
}

/* Pushes the pattern if it is kept. */
static struct re_pattern *find_kept(lua_State *L, struct re_vm *vm, unsigned options)
{
	push_shelf(L, options);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	lua_remove(L, -2);
	struct re_pattern *p = lua_touserdata(L, -1);
	if (!p) {
		lua_pop(L, 1);
		return NULL;
	}
	list_remove(&p->kept);
	list_append(&vm->kept, &p->kept);
	return p;
}

/* Pushes the compiled pattern of argument 2, or an error's words and returns NULL. */
static struct re_pattern *pattern_of(lua_State *L, struct slice text, unsigned options)
{
	struct re_vm *vm = vm_of(L);
	char error[REGEX_ERROR_MAX];
	bool once = options & REGEX_ONCE && vm->limits.cache_max > 0;
	struct re_pattern *p = once ? find_kept(L, vm, options) : NULL;

	if (p)
		return p;
	p = lua_newuserdata(L, sizeof(*p));
	*p = (struct re_pattern){0};
	list_init(&p->kept);
	registry_get(L, &pattern_meta_key);
	lua_setmetatable(L, -2);
	if (!regex_compile(&p->regex, text, options, error)) {
		lua_pushstring(L, error);
		return NULL;
	}
	if (once)
		keep(L, vm, p, text);
	return p;
}

/* ---- calls ---- */

/* In the words of Lua, in which ngx_lua does this. */
static void require_string(lua_State *L, int at, const char *name)
{
	if (lua_type(L, at) != LUA_TSTRING)
		luaL_error(L, "attempt to get length of local '%s' (a %s value)", name,
		        lua_isnone(L, at) ? "nil" : luaL_typename(L, at));
}

static unsigned options_at(lua_State *L, int at)
{
	size_t len;
	uint8_t bad;

	/* An empty table has no letters, as with ngx_lua, where a ctx in its place goes unnoticed.
	 */
	if (!lua_toboolean(L, at) || (lua_istable(L, at) && lua_objlen(L, at) == 0))
		return 0;
	require_string(L, at, "opts");
	const char *text = lua_tolstring(L, at, &len);
	int options = regex_options(slice_of(text, len), &bad);
	if (options < 0)
		luaL_error(L, "unknown flag \"%c\" (flags \"%s\")", bad, text);
	return (unsigned)options;
}

/* Pushes one value. */
static void make_spans(struct re_call *c, lua_State *L)
{
	size_t count = 2 * ((size_t)c->regex->captures + 1);

	if (count <= sizeof(c->small) / sizeof(c->small[0])) {
		c->spans = c->small;
		lua_pushnil(L);
	} else {
		c->spans = lua_newuserdata(L, count * sizeof(c->spans[0]));
	}
}

bool re_call_table(lua_State *L, int at, const char *name)
{
	if (!lua_toboolean(L, at))
		return false;
	if (!lua_istable(L, at))
		luaL_error(
		        L, "attempt to index local '%s' (a %s value)", name, luaL_typename(L, at));
	return true;
}

bool re_call_init(struct re_call *c, lua_State *L)
{
	size_t len;

	luaL_checkstack(L, 10, NULL);
	c->subject = args_tostring(L, 1);
	require_string(L, 2, "regex");
	const char *text = lua_tolstring(L, 2, &len);
	unsigned options = options_at(L, 3);
	c->vm = vm_of(L);
	c->again = false;
	c->pattern = pattern_of(L, slice_of(text, len), options);
	if (!c->pattern)
		return false;
	c->regex = &c->pattern->regex;
	make_spans(c, L);
	return true;
}

void re_call_resume(struct re_call *c, lua_State *L, int subject, int pattern)
{
	size_t len;
	const char *text = lua_tolstring(L, subject, &len);

	c->subject = slice_of(text, len);
	c->vm = vm_of(L);
	c->pattern = lua_touserdata(L, pattern);
	c->regex = &c->pattern->regex;
	c->again = false;
	make_spans(c, L);
}

void re_call_end(struct re_call *c)
{
	if (!c->pattern->was_kept)
		regex_fini(&c->pattern->regex);
}

int re_call_exec(struct re_call *c, size_t from)
{
	if (!c->vm->engine) /* a script has called its __gc */
		return REGEX_NO_MEMORY;
	int rc = regex_exec(c->vm->engine, c->regex, c->subject, from, c->again, c->spans);

	c->again = true;
	return rc;
}

void re_call_push_error(lua_State *L, int code)
{
	lua_pushfstring(L, "pcre_exec() failed: %d", code);
}

struct slice re_call_group(const struct re_call *c, size_t group)
{
	if (group > c->regex->captures || c->spans[2 * group] == REGEX_UNSET)
		return slice_of(NULL, 0);
	size_t from = c->spans[2 * group], to = c->spans[2 * group + 1];
	return slice_of(c->subject.at + from, to > from ? to - from : 0);
}

static void push_group(const struct re_call *c, lua_State *L, size_t group)
{
	struct slice s = re_call_group(c, group);

	if (s.at)
		lua_pushlstring(L, (const char *)s.at, s.len);
	else
		lua_pushboolean(L, false);
}

/* One name of several groups: an array of those that had a part. */
static void add_to_name(const struct re_call *c, lua_State *L, const char *name, size_t group)
{
	if (!re_call_group(c, group).at)
		return;
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 1, 0);
		lua_pushstring(L, name);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	push_group(c, L, group);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 1);
}

void re_call_fill(const struct re_call *c, lua_State *L)
{
	const struct regex *re = c->regex;

	for (size_t i = 0; i <= re->captures; i++) {
		push_group(c, L, i);
		lua_rawseti(L, -2, (int)i);
	}
	if (re->options & REGEX_DFA)
		return;
	for (size_t i = 0; i < re->name_count; i++) {
		const uint8_t *entry = re->names + i * re->name_size;
		size_t group = (size_t)entry[0] << 8 | entry[1];
		const char *name = (const char *)entry + 2;
		if (re->options & REGEX_DUP_NAMES) {
			add_to_name(c, L, name, group);
			continue;
		}
		lua_pushstring(L, name);
		push_group(c, L, group);
		lua_rawset(L, -3);
	}
}

/* ---- settings ---- */

bool re_vm_is_unused(lua_State *L)
{
	return !vm_of(L)->used;
}

bool re_vm_set_jit_stack(lua_State *L, lua_Number size)
{
	return size >= 0 && size <= INT32_MAX && vm_of(L)->engine &&
	       regex_engine_set_jit_stack(vm_of(L)->engine, (size_t)size);
}

void ngx_re_set_limits(lua_State *L, struct ngx_re_limits limits)
{
	registry_get(L, &vm_key);
	struct re_vm *vm = lua_touserdata(L, -1);
	lua_pop(L, 1);
	vm->limits = limits;
	regex_engine_set_match_limit(vm->engine, limits.match_limit);
}
