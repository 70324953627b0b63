/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/note.h"

#include "base/mem.h"
#include "base/random.h"

struct note {
	bool has_peer;
	bool own;       /* the id is NOTE_ID_BYTES as they are */
	uint8_t id_len; /* of what is kept */
	uint8_t kept[]; /* struct address_brief, if there is one, then the id */
};

struct note *note_new(const struct address_brief *peer, struct slice id, bool own)
{
	size_t id_len = own ? NOTE_ID_BYTES : id.len, peer_len = peer ? sizeof *peer : 0;
	struct note *n = mem_try(sizeof *n + peer_len + id_len);
	if (!n)
		return NULL;
	n->has_peer = peer != NULL;
	n->own = own;
	n->id_len = (uint8_t)id_len;
	if (peer)
		memcpy(n->kept, peer, sizeof *peer);
	if (own)
		random_bytes(n->kept + peer_len, NOTE_ID_BYTES);
	else if (id_len > 0)
		memcpy(n->kept + peer_len, id.at, id_len);
	return n;
}

void note_free(struct note *n)
{
	mem_free(n);
}

struct slice note_id(const struct note *n, char buf[NOTE_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	if (!n)
		return SLICE("");
	const uint8_t *id = n->kept + (n->has_peer ? sizeof(struct address_brief) : 0);
	if (!n->own)
		return slice_of(id, n->id_len);
	for (size_t i = 0; i < NOTE_ID_BYTES; i++) {
		buf[2 * i] = digits[id[i] >> 4];
		buf[2 * i + 1] = digits[id[i] & 15];
	}
	return slice_of(buf, NOTE_ID_TEXT);
}

bool note_peer(const struct note *n, struct address_brief *out)
{
	if (!n || !n->has_peer)
		return false;
	memcpy(out, n->kept, sizeof *out);
	return true;
}
