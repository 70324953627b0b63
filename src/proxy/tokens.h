/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A list of tokens, such as the subprotocols of a route. Immutable once filled, and
 * counted by references across threads. */

#include "base/slice.h"

#include <stdatomic.h>

struct token_list {
	atomic_uint refs;
	struct slice *at; /* NUL behind each */
	size_t n;
};

struct token_list *token_list_new(void);
struct token_list *token_list_ref(struct token_list *l);
void token_list_unref(struct token_list *l);
/* False when it is there already. */
bool token_list_add(struct token_list *l, const char *token);
