/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/uri_args.h"

#include "lua/args.h"
#include "lua/room.h"

/* What each part must not hold besides control bytes and space. */
static const struct {
	const char *also;
	bool upper; /* and 0x7f to 0xff */
} parts[URI_PARTS] = {
        [URI_PATH] = {"#%?", true},
        [URI_ARGS] = {"#%?+", true},
        [URI_COMPONENT] = {"\"#$%&+,/:;<=>?@[\\]^`{|}", true},
        [URI_HTML] = {"\"#%'", true},
        [URI_REFRESH] = {"\"'", true},
        [URI_MEMCACHED] = {"%", false},
        [URI_MAIL_AUTH] = {"%", false},
};

static bool escaped[URI_PARTS][256];

__attribute__((constructor)) static void fill_escaped(void)
{
	for (int part = 0; part < URI_PARTS; part++) {
		for (int c = 0; c < 256; c++)
			escaped[part][c] = c <= ' ' || (c >= 0x7f && parts[part].upper);
		for (const char *c = parts[part].also; *c; c++)
			escaped[part][(uint8_t)*c] = true;
	}
}

size_t uri_escaped_len(struct slice in, enum uri_part part)
{
	size_t len = in.len;

	for (size_t i = 0; i < in.len; i++)
		len += escaped[part][in.at[i]] ? 2 : 0;
	return len;
}

char *uri_escape(char *out, struct slice in, enum uri_part part)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i];
		if (escaped[part][c]) {
			*out++ = '%';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		} else {
			*out++ = (char)c;
		}
	}
	return out;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t uri_unescape(char *out, struct slice in)
{
	char *to = out;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.at[i];
		if (c == '%' && in.len - i > 2) {
			int high = hex_value(in.at[i + 1]), low = hex_value(in.at[i + 2]);
			if (high >= 0 && low >= 0) {
				*to++ = (char)(high << 4 | low);
				i += 2;
				continue;
			}
		}
		*to++ = c == '+' ? ' ' : (char)c;
	}
	return (size_t)(to - out);
}

/* ---- text to table ---- */

static void push_unescaped(lua_State *L, struct slice s, char *room)
{
	lua_pushlstring(L, room, uri_unescape(room, s));
}

/* Adds the key and value on the stack to the table below them: the first value of a name is
 * itself, more are an array. */
static void add(lua_State *L)
{
	lua_pushvalue(L, -2);
	lua_rawget(L, -4);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_rawset(L, -3);
		return;
	}
	if (lua_istable(L, -1)) {
		lua_insert(L, -2);
		lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	} else {
		lua_createtable(L, 4, 0);
		lua_insert(L, -3);
		lua_rawseti(L, -3, 1);
		lua_rawseti(L, -2, 2);
		lua_rawset(L, -3);
		return;
	}
	lua_pop(L, 2);
}

/* One name=value, or a name alone. */
static void add_arg(lua_State *L, struct slice arg, char *room)
{
	const uint8_t *is = memchr(arg.at, '=', arg.len);
	size_t name = is ? (size_t)(is - arg.at) : arg.len;

	if (name == 0)
		return;
	push_unescaped(L, slice_of(arg.at, name), room);
	if (is)
		push_unescaped(L, slice_of(is + 1, arg.len - name - 1), room);
	else
		lua_pushboolean(L, true);
	add(L);
}

bool uri_args_push(lua_State *L, struct slice text, int max)
{
	char small[ARGS_SMALL];
	int count = 0;
	bool all = true;

	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, 0, 4);
	if (text.len == 0)
		return true;
	const uint8_t *at = text.at, *end = text.at + text.len;
	int table = lua_gettop(L);
	char *room = args_room(L, small, text.len);
	lua_pushvalue(L, table);
	for (;;) {
		const uint8_t *next = memchr(at, '&', (size_t)(end - at));
		add_arg(L, slice_of(at, (size_t)((next ? next : end) - at)), room);
		if (!next)
			break;
		/* As nginx counts: each &, whatever is before it or follows. */
		if (max > 0 && ++count == max) {
			all = false;
			break;
		}
		at = next + 1;
	}
	lua_settop(L, table);
	return all;
}

/* ---- table to text ---- */

static void put(struct room *r, struct slice s)
{
	uri_escape(room_take(r, uri_escaped_len(s, URI_COMPONENT)), s, URI_COMPONENT);
}

static struct slice text_at(lua_State *L, int at)
{
	size_t len;
	const char *text = lua_tolstring(L, at, &len);

	return slice_of(text, len);
}

static void put_name(struct room *r, struct slice name)
{
	if (r->len > 0)
		room_add(r, SLICE("&"));
	put(r, name);
}

/* The value on top of the stack, which is taken. */
static void write_value(lua_State *L, struct room *r, struct slice name)
{
	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		if (lua_toboolean(L, -1))
			put_name(r, name);
		break;
	case LUA_TSTRING:
	case LUA_TNUMBER:
		put_name(r, name);
		room_add(r, SLICE("="));
		put(r, text_at(L, -1));
		break;
	default:
		luaL_error(L, "attempt to use %s as query arg value", luaL_typename(L, -1));
	}
	lua_pop(L, 1);
}

void uri_args_write(lua_State *L, int at)
{
	struct room r;

	room_init(&r, L);
	luaL_checkstack(L, 8, NULL);
	for (lua_pushnil(L); lua_next(L, at);) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(
			        L, "attempt to use a non-string key in the \"args\" option table");
		struct slice name = text_at(L, -2);
		if (!lua_istable(L, -1)) {
			write_value(L, &r, name);
			continue;
		}
		for (int i = 1; lua_rawgeti(L, -1, i), !lua_isnil(L, -1); i++)
			write_value(L, &r, name);
		lua_pop(L, 2);
	}
	room_push(&r);
}
