/* SPDX-License-Identifier: BSD-2-Clause */
/* The lists of lua/shared_dict.h. */
#include "lua/shared_place.h"

static enum shared_result as_list(const struct place *p, const struct shared_entry *e)
{
	if (!place_is_live(p, e))
		return SHARED_NOT_FOUND;
	return e->block.type == SHARED_LIST ? SHARED_OK : SHARED_NOT_A_LIST;
}

static void link_element(struct shared_entry *e, struct shared_element *element, bool front)
{
	list_append(front ? e->elements.next : &e->elements, &element->list);
	e->element_count++;
}

/* Puts the element into the list that is there. SHARED_NO_MEMORY: more has to be set aside. */
static enum shared_result push_to_list(const struct place *p, struct shared_element *element,
        bool front, size_t *reserved, size_t *len, const struct shared_entry **list)
{
	struct shared_entry *over = NULL;
	struct shared_entry *e = place_lock_clean(p, &over);
	enum shared_result result = as_list(p, e);

	*list = e;
	if (result == SHARED_OK) {
		shared_table_touch(&p->shard->table, e);
		if (*reserved < element->block.cost) {
			result = SHARED_NO_MEMORY;
		} else {
			*reserved -= element->block.cost;
			link_element(e, element, front);
			*len = e->element_count;
		}
	}
	place_unlock(p);
	shared_release_chain(over);
	return result;
}

/* A new list with the element. SHARED_EXISTS: somebody else made one. */
static enum shared_result push_as_list(const struct place *p, struct shared_element *element)
{
	bool forced = false;
	struct shared_entry *fresh =
	        shared_entry_new(p->key, p->hash, SHARED_LIST, 0, slice_of(NULL, 0));

	if (!fresh)
		return SHARED_NO_MEMORY;
	shared_block_hold(&element->block);
	link_element(fresh, element, true);
	enum shared_result result = place_insert(p, SHARED_ADD, fresh, &forced);
	if (result == SHARED_OK)
		shared_block_release(&element->block);
	return result;
}

enum shared_result shared_dict_push(struct shared_dict *d, struct slice key, bool front,
        const struct shared_value *value, uint64_t now_ms, size_t *len)
{
	struct place p = place_of(d, key, now_ms);
	struct shared_element *element =
	        shared_element_new(value->type, value->number, value->text);
	const struct shared_entry *list;
	size_t reserved = 0;
	bool forced = false;
	enum shared_result result = SHARED_NO_MEMORY;

	while (element) {
		result = push_to_list(&p, element, front, &reserved, len, &list);
		if (result == SHARED_NOT_FOUND) {
			result = push_as_list(&p, element);
			*len = 1;
		}
		if (result == SHARED_EXISTS)
			continue;
		if (result != SHARED_NO_MEMORY || reserved > 0)
			break;
		if (!place_reserve(&p, element->block.cost, list, false, &forced))
			break;
		reserved = element->block.cost;
	}
	shared_give_back(d, reserved);
	if (result != SHARED_OK && element)
		shared_block_release(&element->block);
	return result;
}

/* The element leaves with the caller, and an empty list with it. */
static void pop_from(
        const struct place *p, struct shared_entry *e, bool front, struct shared_value *out)
{
	struct list *it = front ? e->elements.next : e->elements.prev;
	struct shared_element *element = list_entry(it, struct shared_element, list);

	list_remove(it);
	e->element_count--;
	shared_give_back(p->dict, element->block.cost);
	*out = (struct shared_value){.type = element->block.type,
	        .number = element->block.number,
	        .text = slice_of(element->bytes, element->block.text_len),
	        .held = &element->block};
	if (e->element_count > 0)
		shared_table_touch(&p->shard->table, e);
	else
		shared_take_out(p->dict, p->shard, e);
}

enum shared_result shared_dict_pop(struct shared_dict *d, struct slice key, bool front,
        uint64_t now_ms, struct shared_value *out)
{
	struct place p = place_of(d, key, now_ms);
	struct shared_entry *over = NULL;
	struct shared_entry *e = place_lock_clean(&p, &over);
	enum shared_result result = as_list(&p, e);

	if (result == SHARED_OK)
		pop_from(&p, e, front, out);
	bool empty = result == SHARED_OK && e->element_count == 0;
	place_unlock(&p);
	shared_release_chain(over);
	if (empty)
		shared_entry_release(e);
	return result;
}

enum shared_result shared_dict_len(
        struct shared_dict *d, struct slice key, uint64_t now_ms, size_t *len)
{
	struct place p = place_of(d, key, now_ms);
	struct shared_entry *over = NULL;
	struct shared_entry *e = place_lock_clean(&p, &over);
	enum shared_result result = as_list(&p, e);

	*len = result == SHARED_OK ? e->element_count : 0;
	if (result == SHARED_OK)
		shared_table_touch(&p.shard->table, e);
	place_unlock(&p);
	shared_release_chain(over);
	return result == SHARED_NOT_FOUND ? SHARED_OK : result;
}
