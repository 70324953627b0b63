/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The variables of ngx.var by their full names, in tables: of the request and the process
 * (lua/ngx_var_request.c), of the connection and its session (lua/ngx_var_connection.c), and of
 * what the client's certificate says (lua/ngx_var_certificate.c). What is made of them is in
 * lua/ngx_var.c. A worker's thread. */

#include <lua.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

struct lua_client;

/* Prints what a certificate says; false: nothing. */
typedef bool (*ngx_var_print_fn)(BIO *out, X509 *x);

struct ngx_var {
	const char *name;
	/* Pushes one value, or nothing: then it has none. */
	void (*push)(lua_State *L, struct lua_client *c);
	ngx_var_print_fn print; /* in place of push: of the client's certificate */
};

struct ngx_var_table {
	const struct ngx_var *var;
	size_t n;
};

extern const struct ngx_var_table ngx_var_request, ngx_var_connection, ngx_var_certificate;

/* lua/ngx_var_certificate.c: pushes what is printed, or nothing. */
void ngx_var_push_printed(lua_State *L, struct lua_client *c, ngx_var_print_fn print);
