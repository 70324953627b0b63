/* SPDX-License-Identifier: BSD-2-Clause */

/* A WebSocket echo server on epoll: the application behind the proxies. It answers as the
 * bytes come, so that a message of any size costs no memory, and all that one read brought
 * in one write. Polite clients are expected; it checks nothing.
 *
 *     echo LISTEN... */

#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 256 * 1024, REPLY_MAX = 256, EVENTS = 256, LISTENERS_MAX = 8 };

struct client {
	int fd;
	uint32_t watched;
	bool upgraded;
	bool closing; /* the answer to its Close is the last that it gets */
	struct head head;

	uint8_t part[WS_HEADER_MAX]; /* a header that the last read cut */
	size_t part_len;
	struct ws_header frame;
	uint64_t left, done; /* payload bytes of the frame still to come, and those that came */

	uint8_t *kept; /* output that the socket did not take; nothing is read meanwhile */
	size_t kept_at, kept_len;
};

static int epoll;
static uint8_t input[BUFFER];
/* A header that was cut adds to the output what came with the read before. */
static uint8_t output[REPLY_MAX + WS_HEADER_MAX + BUFFER];
static size_t output_len;

static void client_close(struct client *c)
{
	close(c->fd);
	head_free(&c->head);
	free(c->kept);
	free(c);
}

static void client_watch(struct client *c, uint32_t events)
{
	watch(epoll, c->fd, &c->watched, events, c);
}

static bool is_opcode(const struct client *c, unsigned opcode)
{
	return (c->frame.first & 0x0f) == opcode;
}

static void frame_end(struct client *c)
{
	if (is_opcode(c, WS_CLOSE))
		c->closing = true;
}

static void frame_begin(struct client *c)
{
	uint8_t first = is_opcode(c, WS_PING) ? WS_FIN | WS_PONG : c->frame.first;

	c->part_len = 0;
	c->left = c->frame.len;
	c->done = 0;
	if (!is_opcode(c, WS_PONG))
		output_len += ws_put_header(output + output_len, first, c->frame.len, NULL);
	if (!c->left)
		frame_end(c);
}

static size_t take_header(struct client *c, const uint8_t *buf, size_t len)
{
	size_t used;

	if (c->part_len) { /* rare, so byte by byte */
		c->part[c->part_len++] = buf[0];
		if (ws_get_header(&c->frame, c->part, c->part_len))
			frame_begin(c);
		return 1;
	}
	used = ws_get_header(&c->frame, buf, len);
	if (used) {
		frame_begin(c);
		return used;
	}
	memcpy(c->part, buf, len);
	c->part_len = len;
	return len;
}

static size_t take_payload(struct client *c, const uint8_t *buf, size_t len)
{
	if (len > c->left)
		len = (size_t)c->left;
	if (!is_opcode(c, WS_PONG)) {
		ws_mask(output + output_len, buf, len, c->frame.key, c->done);
		output_len += len;
	}
	c->done += len;
	c->left -= len;
	if (!c->left)
		frame_end(c);
	return len;
}

static size_t take_request(struct client *c, const uint8_t *buf, size_t len)
{
	char accept[WS_ACCEPT_SIZE];
	bool complete;
	size_t key_len, used = head_add(&c->head, buf, len, &complete);
	const char *key = complete ? head_field(&c->head, "Sec-WebSocket-Key", &key_len) : NULL;

	if (!complete)
		return used;
	if (key) {
		ws_accept(accept, key, key_len);
		output_len += (size_t)snprintf((char *)output, REPLY_MAX,
		        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		        accept);
	}
	c->closing = !key;
	c->upgraded = true;
	head_free(&c->head);
	return used;
}

static void answer(struct client *c, const uint8_t *buf, size_t len)
{
	output_len = 0;
	while (len && !c->closing) {
		size_t used = !c->upgraded ? take_request(c, buf, len)
		              : c->left    ? take_payload(c, buf, len)
		                           : take_header(c, buf, len);
		buf += used;
		len -= used;
	}
}

static void on_readable(struct client *c)
{
	ssize_t sent, n = recv(c->fd, input, BUFFER, 0);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			client_close(c);
		return;
	}
	answer(c, input, (size_t)n);
	sent = output_len ? send(c->fd, output, output_len, MSG_NOSIGNAL) : 0;
	if (sent < 0 && errno == EAGAIN)
		sent = 0;
	if (sent < 0 || ((size_t)sent == output_len && c->closing)) {
		client_close(c);
	} else if ((size_t)sent < output_len) {
		c->kept_at = 0;
		c->kept_len = output_len - (size_t)sent;
		c->kept = must_copy(output + sent, c->kept_len);
		client_watch(c, EPOLLOUT);
	}
}

static void on_writable(struct client *c)
{
	ssize_t n = send(c->fd, c->kept + c->kept_at, c->kept_len - c->kept_at, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			client_close(c);
		return;
	}
	c->kept_at += (size_t)n;
	if (c->kept_at < c->kept_len)
		return;
	free(c->kept);
	c->kept = NULL;
	if (c->closing)
		client_close(c);
	else
		client_watch(c, EPOLLIN);
}

static void on_accept(int listener)
{
	int fd = accept_from(listener);
	struct client *c;

	if (fd < 0)
		return;
	c = must_alloc(sizeof(*c));
	c->fd = fd;
	client_watch(c, EPOLLIN);
}

static int listener[LISTENERS_MAX];

static bool is_listener(const void *p)
{
	return p >= (const void *)listener && p < (const void *)(listener + LISTENERS_MAX);
}

static void listen_at(const char *text, int *fd)
{
	struct sockaddr_in address = parse_address(text);
	uint32_t watched = 0;

	*fd = listen_on(&address, false);
	watch(epoll, *fd, &watched, EPOLLIN, fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];

	if (argc < 2 || argc > 1 + LISTENERS_MAX)
		die("usage: echo LISTEN...");
	raise_descriptor_limit();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 1; i < argc; i++)
		listen_at(argv[i], &listener[i - 1]);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (is_listener(c))
				on_accept(*(int *)events[i].data.ptr);
			else if (c->kept)
				on_writable(c);
			else
				on_readable(c);
		}
	}
}
