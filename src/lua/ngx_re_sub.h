/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Replacing by a template, and splitting. */

#include <lua.h>

/* subject, regex, opts, template, global → text, count. Upvalues: those of re_vm_push(). */
int ngx_re_plain_sub(lua_State *L);
