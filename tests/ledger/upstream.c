/* SPDX-License-Identifier: BSD-2-Clause */

/* An upstream of the ledger. SIGTERM: it finishes its sessions and ends; any other end is
 * the trouble that the test makes.
 *
 *     upstream LISTEN BOOK NUMBER SEED SERVER
 *
 * NUMBER names the book in the answers; SERVER is 0 or 1, of which only 0 drops requests. */

#include "peer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_S = 90 };

static int listener;
static unsigned book, server;
static uint64_t seed;
static volatile sig_atomic_t asked_to_end;

static void put_answer(struct peer *p)
{
	char accept[WS_ACCEPT_SIZE], text[512];
	size_t key_len;
	const char *key = head_field(&p->head, "Sec-WebSocket-Key", &key_len);
	int len;

	if (!key)
		peer_wrong(p, "a request without a key: %s", p->head.bytes);
	ws_accept(accept, key, key_len);
	len = snprintf(text, sizeof(text),
	        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nX-Book: %u.%u\r\n\r\n",
	        accept, book, p->entry->partner_entry);
	peer_put(p, text, (size_t)len);
	p->entry->status = 101;
	p->speaking = true;
}

static void drop(struct peer *p)
{
	if (p->script.session % 2) {
		peer_reset(p, FAULT_DROP);
		return;
	}
	p->entry->fault = FAULT_DROP;
	peer_end(p, ENDED_OWN);
}

static void on_head(struct peer *p)
{
	unsigned long long session;
	char route[8];
	struct script s;
	uint32_t number;

	if (sscanf(p->head.bytes, "GET /%5[a-z]/%16llx ", route, &session) != 2)
		die("an unknown request: %s", p->head.bytes);
	s = script_make(seed, session);
	if (s.tight != (strcmp(route, "tight") == 0))
		die("session %016llx came by the route %s", session, route);
	peer_assign(p, &s, book_add(session, &number));
	p->entry->partner_book = book;
	p->entry->partner_entry = number;
	if (s.side[UPSTREAM].fault == FAULT_DROP && server == 0)
		drop(p);
	else if (s.answer_ms)
		p->wake_ns = now_ns() + (uint64_t)s.answer_ms * MS;
	else
		put_answer(p);
}

static void on_accept(void)
{
	int fd = accept_from(listener);

	if (fd >= 0)
		peer_new(fd, UPSTREAM);
}

static void on_gone(struct peer *p)
{
	(void)p;
}

static const struct peer_owner upstream = {
        .on_head = on_head, .on_wake = put_answer, .on_gone = on_gone, .on_listener = on_accept};

/* Connections that were made ahead of need, and are needed no more. */
static void end_unused(void)
{
	for (struct peer *p = peers_first(); p; p = p->next)
		if (!p->gone && !p->entry && p->head.len == 0)
			peer_end(p, ENDED_OWN);
}

static void on_signal(int number)
{
	(void)number;
	asked_to_end = 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;
	uint64_t end;

	if (argc != 6)
		die("usage: upstream LISTEN BOOK NUMBER SEED SERVER");
	signal(SIGTERM, on_signal); /* before there is a book, by which the driver sees it live */
	address = parse_address(argv[1]);
	book_open(argv[2]);
	book = (unsigned)parse_number(argv[3], "NUMBER");
	seed = parse_number(argv[4], "SEED");
	server = (unsigned)parse_number(argv[5], "SERVER");
	peers_init(&upstream);
	listener = listen_on(&address, false);
	peers_listen(listener);
	while (!asked_to_end)
		peers_turn();
	end = now_ns() + PATIENCE_S * 1000ull * MS;
	while (peers_count()) {
		if (now_ns() > end)
			peer_wrong(peers_first(), "hangs, as one of %u", peers_count());
		end_unused();
		peers_turn();
	}
	return 0;
}
