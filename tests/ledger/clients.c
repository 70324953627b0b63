/* SPDX-License-Identifier: BSD-2-Clause */

/* The clients of the ledger: so many sessions at a time, each by its script, for so many
 * seconds; then the last ones are finished.
 *
 *     clients ADDRESS BOOK SEED FIRST SESSIONS SECONDS
 *
 * FIRST is the number of the first session. */

#include "peer.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { KEY_LEN = 24, SOURCES = 16, PATIENCE_S = 90, REFUSED_MS = 5, BEGIN_MOST = 8 };

static struct sockaddr_in address;
static uint64_t seed, next_session;
static uint64_t begin_ns; /* no session before: the last one was refused */

static void handshake_key(const struct peer *p, char out[KEY_LEN + 1])
{
	uint64_t words[2] = {hash64(p->script.session), p->script.session};

	EVP_EncodeBlock((uint8_t *)out, (const uint8_t *)words, sizeof(words));
}

static void put_request(struct peer *p)
{
	char key[KEY_LEN + 1], text[512];
	int len;

	handshake_key(p, key);
	len = snprintf(text, sizeof(text),
	        "GET /%s/%016llx HTTP/1.1\r\nHost: ledger\r\nUpgrade: websocket\r\n"
	        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	        "Sec-WebSocket-Key: %s\r\n\r\n",
	        p->script.tight ? "tight" : "calm", (unsigned long long)p->script.session, key);
	peer_put(p, text, (size_t)len);
}

static void session_begin(void)
{
	struct script s = script_make(seed, next_session++);
	struct sockaddr_in from = {.sin_family = AF_INET};
	const struct side_script *own = &s.side[CLIENT];
	uint32_t number;
	struct peer *p;
	int fd;

	from.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)(s.session % SOURCES));
	fd = connect_to(&address, &from);
	if (own->receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &own->receive_buffer, sizeof(int));
	p = peer_new(fd, CLIENT);
	peer_assign(p, &s, book_add(s.session, &number));
	put_request(p);
	p->speaking = s.early;
	if (own->fault == FAULT_EARLY)
		p->wake_ns = now_ns() + (uint64_t)s.early_ms * MS + 1;
}

static void on_wake(struct peer *p)
{
	peer_reset(p, FAULT_EARLY);
}

/* "BOOK.ENTRY" of the upstream that answered. */
static void note_partner(struct peer *p)
{
	size_t len;
	const char *at = head_field(&p->head, "X-Book", &len);
	unsigned book, entry;

	if (!at || sscanf(at, "%u.%u", &book, &entry) != 2)
		peer_wrong(p, "an answer of nobody in the books: %s", p->head.bytes);
	p->entry->partner_book = book;
	p->entry->partner_entry = entry;
}

static void on_open(struct peer *p)
{
	char key[KEY_LEN + 1], due[WS_ACCEPT_SIZE];
	size_t len;
	const char *accept = head_field(&p->head, "Sec-WebSocket-Accept", &len);

	handshake_key(p, key);
	ws_accept(due, key, KEY_LEN);
	if (!accept || len != strlen(due) || memcmp(accept, due, len) != 0)
		peer_wrong(p, "a wrong Sec-WebSocket-Accept");
	note_partner(p);
	p->speaking = p->speaking || !p->script.early;
}

static void refused(struct peer *p)
{
	begin_ns = now_ns() + REFUSED_MS * MS;
	peer_end(p, ENDED_OWN);
}

static void on_head(struct peer *p)
{
	size_t len;
	const char *id = head_field(&p->head, "X-Request-Id", &len);
	unsigned status = 0;

	if (sscanf(p->head.bytes, "HTTP/1.1 %u ", &status) != 1)
		peer_wrong(p, "an answer that begins %.40s", p->head.bytes);
	p->entry->status = (uint16_t)status;
	if (id && len == sizeof(p->entry->request_id))
		memcpy(p->entry->request_id, id, len);
	if (status == 101)
		on_open(p);
	else
		refused(p);
}

static void on_gone(struct peer *p)
{
	(void)p;
}

static const struct peer_owner clients = {
        .on_head = on_head, .on_wake = on_wake, .on_gone = on_gone};

static void finish(void)
{
	uint64_t end = now_ns() + PATIENCE_S * 1000ull * MS;

	while (peers_count()) {
		if (now_ns() > end)
			peer_wrong(peers_first(), "hangs, as one of %u", peers_count());
		peers_turn();
	}
}

int main(int argc, char **argv)
{
	unsigned sessions;
	uint64_t end;

	if (argc != 7)
		die("usage: clients ADDRESS BOOK SEED FIRST SESSIONS SECONDS");
	address = parse_address(argv[1]);
	book_open(argv[2]);
	seed = parse_number(argv[3], "SEED");
	next_session = parse_number(argv[4], "FIRST");
	sessions = (unsigned)parse_number(argv[5], "SESSIONS");
	peers_init(&clients);
	end = now_ns() + (uint64_t)(parse_seconds(argv[6], "SECONDS") * 1e9);
	while (now_ns() < end) {
		for (unsigned i = 0;
		        i < BEGIN_MOST && peers_count() < sessions && now_ns() >= begin_ns; i++)
			session_begin();
		peers_turn();
	}
	finish();
	return 0;
}
