/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/words.h"

#include <stdarg.h>
#include <stdio.h>

struct slice lua_error_text(lua_State *L)
{
	size_t len;
	if (lua_gettop(L) == 0 || !lua_isstring(L, -1))
		return SLICE("unknown reason");
	const char *text = lua_tolstring(L, -1, &len);
	return slice_of(text, len);
}

static size_t put(char *buf, size_t size, size_t at, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static size_t put(char *buf, size_t size, size_t at, const char *format, ...)
{
	va_list args;
	if (at >= size)
		return at;
	va_start(args, format);
	int n = vsnprintf(buf + at, size - at, format, args);
	va_end(args);
	return n < 0 || (size_t)n >= size - at ? size - 1 : at + (size_t)n;
}

enum { LEVELS_MAX = 24 };

size_t lua_where(lua_State *L, char *buf, size_t size)
{
	lua_Debug ar;
	size_t at = 0;
	buf[0] = '\0';
	for (int level = 0; level < LEVELS_MAX && lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "nSl", &ar);
		const char *between = at > 0 ? ", " : "";
		if (ar.currentline > 0)
			at = put(buf, size, at, "%s%s:%d:", between, ar.short_src, ar.currentline);
		else
			at = put(buf, size, at, "%s[C]:", between);
		if (ar.name)
			at = put(buf, size, at, " in function '%s'", ar.name);
		else if (ar.what && ar.what[0] == 'm')
			at = put(buf, size, at, " in main chunk");
	}
	return at;
}
