/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/tokens.h"

#include "base/mem.h"

struct token_list *token_list_new(void)
{
	struct token_list *l = mem_new(sizeof *l);
	atomic_init(&l->refs, 1);
	return l;
}

struct token_list *token_list_ref(struct token_list *l)
{
	if (l)
		atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void token_list_unref(struct token_list *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (size_t i = 0; i < l->n; i++)
		mem_free((char *)l->at[i].at);
	mem_free(l->at);
	mem_free(l);
}

bool token_list_add(struct token_list *l, const char *token)
{
	for (size_t i = 0; i < l->n; i++)
		if (slice_equal(l->at[i], slice_str(token)))
			return false;
	l->at = mem_resize(l->at, (l->n + 1) * sizeof l->at[0]);
	l->at[l->n++] = slice_str(mem_strdup(token));
	return true;
}
