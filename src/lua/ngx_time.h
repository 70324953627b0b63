/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* ngx.now, ngx.time and the forms of dates. */

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since 1970 as the VM's owner has them: as of the beginning of this turn or, with
 * `renew`, of this moment, which the next calls without it return too. */
typedef uint64_t (*ngx_time_fn)(void *owner, bool renew);

/* See lua/ngx.h. Until ngx_time_set_clock() is called, the time is the real one at each call. */
void ngx_time_open(lua_State *L);
/* After ngx_time_open(); NULL restores the real clock. `owner` outlives the VM. */
void ngx_time_set_clock(lua_State *L, ngx_time_fn clock, void *owner);
/* The clock as scripts see it, for the other groups. */
uint64_t ngx_time_ms(lua_State *L);
