/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the tools of the benchmark share: sockets, epoll, HTTP heads and the few parts of
 * WebSocket that they need. Written apart from src/, so that a fault there cannot hide
 * itself here. Faults end the program: a benchmark with an error in it has no result. */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *must_alloc(size_t size); /* zeroed */
void *must_copy(const void *bytes, size_t len);

uint64_t now_ns(void); /* monotonic */

/* An option's number, or the end of the program with `what` in the message. */
uint64_t parse_number(const char *text, const char *what);
double parse_seconds(const char *text, const char *what);
struct sockaddr_in parse_address(const char *text); /* 127.0.0.1:8080 */

void raise_descriptor_limit(void);

/* A non-blocking listening socket; with `shared` several may listen on one address. */
int listen_on(const struct sockaddr_in *address, bool shared);
/* The next waiting connection, non-blocking and without Nagle's delay; -1: none. */
int accept_from(int listener);
/* Begins to connect. `from` may be NULL. Dies when no port or descriptor is left. */
int connect_to(const struct sockaddr_in *to, const struct sockaddr_in *from);
/* 0, or why the connection that was begun with connect_to() failed. */
int connect_result(int fd);

/* Makes epoll watch fd for `events`, which `*watched` remembers; 0 takes fd out, since a
 * descriptor that stays in reports its hang-up again and again. */
void watch(int epoll, int fd, uint32_t *watched, uint32_t events, void *owner);

/* An HTTP head that arrives in parts. */
struct head {
	char *bytes; /* NUL-terminated */
	size_t len;
};

/* Adds bytes up to the empty line that ends the head and returns how many it took.
 * *complete tells whether the head is whole. */
size_t head_add(struct head *h, const uint8_t *buf, size_t len, bool *complete);
void head_free(struct head *h);
/* The value of a field, with its length, or NULL. */
const char *head_field(const struct head *h, const char *name, size_t *len);

enum {
	WS_FIN = 0x80,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
	WS_HEADER_MAX = 14,
	WS_CONTROL_MAX = 125,
	WS_ACCEPT_SIZE = 29, /* with the NUL */
};

struct ws_header {
	uint64_t len;  /* payload bytes */
	uint8_t first; /* FIN, reserved bits and opcode */
	bool masked;
	uint8_t key[4];
};

/* Reads a header. Returns the bytes it has, 0 when some are missing. */
size_t ws_get_header(struct ws_header *h, const uint8_t *buf, size_t len);
/* Writes a header in its shortest form, masked if key is given; returns its length. */
size_t ws_put_header(uint8_t *out, uint8_t first, uint64_t len, const uint8_t *key);
/* Masks or unmasks bytes that stand at `offset` of their payload. */
void ws_mask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4], uint64_t offset);
/* Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2). */
void ws_accept(char out[WS_ACCEPT_SIZE], const char *key, size_t len);
