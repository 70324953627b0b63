/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/note.h"

#include "base/mem.h"

struct note {
	bool has_peer, has_destination;
	uint8_t id_len; /* of what is kept */
	uint8_t kept[]; /* the peer and the destination, if there are any, then the id */
};

enum { ADDRESS = sizeof(struct address_brief) };

/* Where the id begins. */
static size_t id_at(const struct note *n)
{
	return ADDRESS * ((size_t)n->has_peer + n->has_destination);
}

struct note *note_new(
        const struct address_brief *peer, const struct address_brief *destination, struct slice id)
{
	size_t addresses = (size_t)(peer != NULL) + (destination != NULL);
	struct note *n = mem_try(sizeof *n + ADDRESS * addresses + id.len);
	if (!n)
		return NULL;
	n->has_peer = peer != NULL;
	n->has_destination = destination != NULL;
	n->id_len = (uint8_t)id.len;
	if (peer)
		memcpy(n->kept, peer, ADDRESS);
	if (destination)
		memcpy(n->kept + (peer ? ADDRESS : 0), destination, ADDRESS);
	if (id.len > 0)
		memcpy(n->kept + id_at(n), id.at, id.len);
	return n;
}

void note_free(struct note *n)
{
	mem_free(n);
}

void note_forget_request(struct note *n)
{
	if (!n)
		return;
	if (n->has_peer && n->has_destination)
		memmove(n->kept, n->kept + ADDRESS, ADDRESS);
	n->has_peer = false;
	n->id_len = 0;
}

struct slice note_id(const struct note *n)
{
	return n ? slice_of(n->kept + id_at(n), n->id_len) : SLICE("");
}

bool note_peer(const struct note *n, struct address_brief *out)
{
	if (!n || !n->has_peer)
		return false;
	memcpy(out, n->kept, ADDRESS);
	return true;
}

bool note_destination(const struct note *n, struct address_brief *out)
{
	if (!n || !n->has_destination)
		return false;
	memcpy(out, n->kept + (n->has_peer ? ADDRESS : 0), ADDRESS);
	return true;
}
