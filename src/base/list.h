/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* An intrusive, circular, doubly linked list. A head and a member that is in no
 * list both point at themselves. The list owns nothing. One thread. */

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

/* The structure that holds `node` as its member `field`. */
#define list_entry(node, type, field) ((type *)(void *)((char *)(node)-offsetof(type, field)))

/* Visits each member; the body must not unlink `it`. */
#define list_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Harmless for a node that is in no list. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Moves every member of `from` to the end of `to`. */
static inline void list_take(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}
