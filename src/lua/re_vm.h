/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the functions of ngx.re share in a VM: the engine, the patterns that are kept compiled,
 * and the way from arguments to a match and back. */

#include "lua/ngx_re.h"
#include "lua/regex.h"

#include <lua.h>

/* Pushes the two upvalues that each function here needs, the VM's state and its patterns; made by
 * the first call. */
void re_vm_push(lua_State *L);
enum { RE_VM_UPVALUES = 2 };

struct re_vm;
/* A compiled pattern as Lua owns it. */
struct re_pattern;

/* A subject and a pattern that are to meet. Slots of the Lua stack hold what it points at. */
struct re_call {
	const struct re_vm *vm;
	const struct regex *regex;
	struct re_pattern *pattern;
	struct slice subject;
	size_t *spans;
	bool again;       /* the subject was gone over before */
	size_t small[32]; /* the spans, unless they are more */
};

/* Takes subject, pattern and options from the arguments 1 to 3, and pushes two values: the
 * pattern, which can be given to re_call_resume(), and the spans' memory. Returns false after
 * having pushed an error's words instead. */
bool re_call_init(struct re_call *c, lua_State *L);
/* The same with a subject and a pattern that lie at these places. Pushes one value. */
void re_call_resume(struct re_call *c, lua_State *L, int subject, int pattern);
/* Frees a pattern that was never kept, early: Lua does not know how big it is. */
void re_call_end(struct re_call *c);

/* Whether that argument is there; an error when it is, but no table. */
bool re_call_table(lua_State *L, int at, const char *name);

/* As regex_exec(). */
int re_call_exec(struct re_call *c, size_t from);
static inline size_t re_call_next(const struct re_call *c)
{
	return regex_next(c->regex, c->subject, c->spans);
}
/* Pushes `pcre_exec() failed: -8`. */
void re_call_push_error(lua_State *L, int code);
/* The bytes of a group; at NULL when it had no part. */
struct slice re_call_group(const struct re_call *c, size_t group);
/* Fills the table on top of the stack, by number and by name; groups without part are false. */
void re_call_fill(const struct re_call *c, lua_State *L);

/* For ngx.re.opt: false once a pattern was kept, or with a bad size. */
bool re_vm_is_unused(lua_State *L);
bool re_vm_set_jit_stack(lua_State *L, lua_Number size);
