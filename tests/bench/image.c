/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The messages of a turn together shall stay in the processor's cache. */
enum { TURN_BYTES = 256 * 1024, VARIANTS_MIN = 2, VARIANTS_MAX = 64 };

static unsigned variants_for(size_t size, unsigned depth)
{
	size_t n = TURN_BYTES / (size + 1);

	n = n < VARIANTS_MIN ? VARIANTS_MIN : n > VARIANTS_MAX ? VARIANTS_MAX : n;
	return n < depth ? depth : (unsigned)n;
}

static void fill_binary(uint8_t *out, size_t len, unsigned seed)
{
	uint64_t x = 0x9e3779b97f4a7c15u * (seed + 1);

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		out[i] = (uint8_t)(x >> 32);
	}
}

/* The variant's number, then whole pieces of `text` as long as they fit, then dots: a
 * character is never cut. */
static void fill_text(uint8_t *out, size_t len, unsigned variant, const char *const *text)
{
	char number[24];
	size_t at = (size_t)snprintf(number, sizeof(number), "[%u] ", variant);

	at = at < len ? at : 0;
	memcpy(out, number, at);
	for (size_t i = 0, n; at + (n = strlen(text[i])) <= len; at += n) {
		memcpy(out + at, text[i], n);
		i = text[i + 1] ? i + 1 : 0;
	}
	memset(out + at, '.', len - at);
}

static void fill(uint8_t *out, size_t len, enum image_kind kind, unsigned variant)
{
	static const char *const ascii[] = {"{\"id\":48151,\"user\":\"luna\",",
	        "\"room\":\"garden\",", "\"text\":\"The gate is open, come in.\",",
	        "\"at\":1795651200.25,\"ok\":true},\n", NULL};
	static const char *const mixed[] = {"月", "亮", "门", " open, ", "请", "进", "来", "。",
	        "ご", "自", "由", "に", ": ", NULL};

	if (kind == IMAGE_ASCII || kind == IMAGE_MIXED)
		fill_text(out, len, variant, kind == IMAGE_ASCII ? ascii : mixed);
	else
		fill_binary(out, len, variant);
}

static void put_message(struct image *m, enum image_kind kind, size_t size, unsigned variant)
{
	bool text = kind == IMAGE_ASCII || kind == IMAGE_MIXED;
	uint8_t opcode = kind == IMAGE_PING ? WS_PING : text ? WS_TEXT : WS_BINARY;
	uint8_t answer = kind == IMAGE_PING ? WS_PONG : opcode;
	uint8_t *sent = m->sent + variant * m->sent_len, *echo = m->echo + variant * m->echo_len;
	uint8_t key[4];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		die("no random bytes");
	sent += ws_put_header(sent, WS_FIN | opcode, size, key);
	echo += ws_put_header(echo, WS_FIN | answer, size, NULL);
	fill(echo, size, kind, variant);
	ws_mask(sent, echo, size, key, 0);
}

void image_init(struct image *m, enum image_kind kind, size_t size, unsigned depth)
{
	uint8_t header[WS_HEADER_MAX];
	size_t header_len = ws_put_header(header, 0, size, NULL);
	size_t sent_turn, echo_turn;

	m->variants = variants_for(size, depth);
	m->echo_len = header_len + size;
	m->sent_len = m->echo_len + 4;
	sent_turn = m->variants * m->sent_len;
	echo_turn = m->variants * m->echo_len;
	m->sent = must_alloc(2 * sent_turn);
	m->echo = must_alloc(2 * echo_turn);
	for (unsigned i = 0; i < m->variants; i++)
		put_message(m, kind, size, i);
	memcpy(m->sent + sent_turn, m->sent, sent_turn);
	memcpy(m->echo + echo_turn, m->echo, echo_turn);
}
