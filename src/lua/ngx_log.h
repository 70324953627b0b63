/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Lines of the log that scripts cause: `[lua] file:line: text id=...`. */

#include "base/log.h"
#include "base/slice.h"

#include <lua.h>

struct session;

/* A text, which may be longer than a line, with where L's function is (NULL: nowhere) and the
 * keys of the session (NULL: none). */
void lua_log_text(enum log_level level, lua_State *L, const struct session *s, struct slice text);
/* `lua entry thread aborted: runtime error: file:3: boom traceback=...`; while a set is checked,
 * to whoever checks it. L has failed. */
void lua_log_failure(lua_State *L, const char *thread, const char *what, struct slice text);
/* A script has written the global of that name. */
void lua_log_global(lua_State *L, const char *name);
