/* SPDX-License-Identifier: BSD-2-Clause */
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096, HEAD_MAX = 32 * 1024 };

void die(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void *must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die("no memory for %zu bytes", size);
	return p;
}

void *must_copy(const void *bytes, size_t len)
{
	void *p = malloc(len);

	if (!p)
		die("no memory for %zu bytes", len);
	return memcpy(p, bytes, len);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t parse_number(const char *text, const char *what)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-')
		die("%s: want a number, got %s", what, text);
	return n;
}

double parse_seconds(const char *text, const char *what)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= 0 && s <= 86400))
		die("%s: want seconds, got %s", what, text);
	return s;
}

struct sockaddr_in parse_address(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	char host[INET_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		die("want IPV4:PORT, got %s", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
		die("want IPV4:PORT, got %s", text);
	a.sin_port = htons((uint16_t)parse_number(colon + 1, "port"));
	return a;
}

void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void set_option(int fd, int level, int option)
{
	if (setsockopt(fd, level, option, &(int){1}, sizeof(int)) != 0)
		die("setsockopt %d: %s", option, strerror(errno));
}

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	return fd;
}

int listen_on(const struct sockaddr_in *address, bool shared)
{
	int fd = tcp_socket();

	set_option(fd, SOL_SOCKET, SO_REUSEADDR);
	if (shared)
		set_option(fd, SOL_SOCKET, SO_REUSEPORT);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
	        listen(fd, BACKLOG) != 0)
		die("cannot listen on port %u: %s", ntohs(address->sin_port), strerror(errno));
	return fd;
}

int accept_from(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		set_option(fd, IPPROTO_TCP, TCP_NODELAY);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		die("accept: %s", strerror(errno));
	return fd;
}

int connect_to(const struct sockaddr_in *to, const struct sockaddr_in *from)
{
	int fd = tcp_socket();

	set_option(fd, IPPROTO_TCP, TCP_NODELAY);
	if (from) {
		set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
		if (bind(fd, (const struct sockaddr *)from, sizeof(*from)) != 0)
			die("bind: %s", strerror(errno));
	}
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EINPROGRESS)
		die("connect: %s", strerror(errno));
	return fd;
}

int connect_result(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return errno;
	return error;
}

void watch(int epoll, int fd, uint32_t *watched, uint32_t events, void *owner)
{
	struct epoll_event e = {.events = events, .data.ptr = owner};
	int op = !*watched ? EPOLL_CTL_ADD : !events ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (*watched == events)
		return;
	if (epoll_ctl(epoll, op, fd, &e) != 0)
		die("epoll_ctl: %s", strerror(errno));
	*watched = events;
}

size_t head_add(struct head *h, const uint8_t *buf, size_t len, bool *complete)
{
	size_t before = h->len, from = before > 3 ? before - 3 : 0;
	const char *end;

	if (before + len > HEAD_MAX)
		len = HEAD_MAX - before;
	h->bytes = realloc(h->bytes, before + len + 1);
	if (!h->bytes)
		die("no memory for a head");
	memcpy(h->bytes + before, buf, len);
	h->len = before + len;
	h->bytes[h->len] = '\0';

	end = memmem(h->bytes + from, h->len - from, "\r\n\r\n", 4);
	*complete = end != NULL;
	if (!end && h->len == HEAD_MAX)
		die("a head without an end");
	if (!end)
		return len;
	h->len = (size_t)(end - h->bytes) + 4;
	h->bytes[h->len] = '\0';
	return h->len - before;
}

void head_free(struct head *h)
{
	free(h->bytes);
	*h = (struct head){0};
}

const char *head_field(const struct head *h, const char *name, size_t *len)
{
	size_t name_len = strlen(name);

	for (const char *line = h->bytes; (line = strstr(line, "\r\n"));) {
		line += 2;
		if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
			continue;
		line += name_len + 1;
		line += strspn(line, " \t");
		*len = strcspn(line, " \t\r");
		return line;
	}
	return NULL;
}

static uint64_t get_number(const uint8_t *buf, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | buf[i];
	return n;
}

static void put_number(uint8_t *out, uint64_t n, size_t bytes)
{
	for (size_t i = bytes; i-- > 0; n >>= 8)
		out[i] = (uint8_t)n;
}

/* Bytes of the extended length that a header's 7-bit length announces. */
static size_t length_bytes(unsigned len7)
{
	return len7 == 127 ? 8 : len7 == 126 ? 2 : 0;
}

size_t ws_get_header(struct ws_header *h, const uint8_t *buf, size_t len)
{
	size_t extended, size;

	if (len < 2)
		return 0;
	h->first = buf[0];
	h->masked = buf[1] & 0x80;
	h->len = buf[1] & 0x7f;
	extended = length_bytes((unsigned)h->len);
	size = 2 + extended + (h->masked ? 4 : 0);
	if (len < size)
		return 0;
	if (extended)
		h->len = get_number(buf + 2, extended);
	if (h->masked)
		memcpy(h->key, buf + 2 + extended, 4);
	return size;
}

size_t ws_put_header(uint8_t *out, uint8_t first, uint64_t len, const uint8_t *key)
{
	unsigned len7 = len > 0xffff ? 127 : len > 125 ? 126 : (unsigned)len;
	size_t extended = length_bytes(len7);

	out[0] = first;
	out[1] = (uint8_t)(len7 | (key ? 0x80 : 0));
	put_number(out + 2, len, extended);
	if (key)
		memcpy(out + 2 + extended, key, 4);
	return 2 + extended + (key ? 4 : 0);
}

void ws_mask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t key[4], uint64_t offset)
{
	uint8_t turned[8];
	uint64_t wide, word;
	size_t i = 0;

	for (size_t k = 0; k < 8; k++)
		turned[k] = key[(offset + k) % 4];
	memcpy(&wide, turned, 8);
	for (; len - i >= 8; i += 8) {
		memcpy(&word, from + i, 8);
		word ^= wide;
		memcpy(to + i, &word, 8);
	}
	for (; i < len; i++)
		to[i] = from[i] ^ turned[i % 4];
}

void ws_accept(char out[WS_ACCEPT_SIZE], const char *key, size_t len)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t text[128], digest[20];

	if (len + sizeof(guid) > sizeof(text))
		die("a Sec-WebSocket-Key of %zu bytes", len);
	memcpy(text, key, len);
	memcpy(text + len, guid, sizeof(guid));
	if (!EVP_Digest(text, len + sizeof(guid) - 1, digest, NULL, EVP_sha1(), NULL))
		die("no SHA-1");
	EVP_EncodeBlock((uint8_t *)out, digest, sizeof(digest));
}
