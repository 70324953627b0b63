/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* `ngx.ssl`: certificates and keys as Lua holds them. Of that module, what needs a connection is
 * added by others, with compat_push_module() (lua/compat.h). */

#include <lua.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/* The loader of `ngx.ssl`: pushes a new table with what is here. */
int ngx_ssl_module(lua_State *L);

/* What a value at that place of the stack holds, or NULL when it is something else. It belongs to
 * the value: take a reference to keep it. */
STACK_OF(X509) * ngx_ssl_chain_at(lua_State *L, int at); /* its own certificate first */
EVP_PKEY *ngx_ssl_key_at(lua_State *L, int at);
