/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* ngx.re on PCRE2. */

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

struct ngx_re_limits {
	uint32_t cache_max;   /* compiled patterns kept of those with option o; 0: none */
	uint32_t match_limit; /* how often one match may try again (lua_regex_match_limit); 0: ten
	                         million */
};

/* See lua/ngx.h. */
void ngx_re_open(lua_State *L);
/* After ngx_re_open(), which begins with 1024 and 0. */
void ngx_re_set_limits(lua_State *L, struct ngx_re_limits limits);
/* The loader of `ngx.re`, for package.preload; after ngx_re_open(). */
int ngx_re_module(lua_State *L);
/* The same for what `resty.core.regex` still has. */
int ngx_re_core_module(lua_State *L);
