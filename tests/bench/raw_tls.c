/* SPDX-License-Identifier: BSD-2-Clause */

/* raw-tls: raw-forward with TLS 1.3 in front. OpenSSL makes the handshake; then a message is one
 * receive and one send a side, and its AEAD for each record. It looks at nothing else, so what it
 * costs is the floor for any proxy in user space that ends TLS by OpenSSL: descriptors are
 * edge-triggered and registered once, and no socket is read only to learn that it is empty.
 *
 *     raw-tls LISTEN UPSTREAM CERTIFICATE KEY */

#include "raw_record.h"
#include "util.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER = 64 * 1024,
	/* What the records of a full buffer have beside their data. */
	SEALED = BUFFER + (BUFFER / RECORD_DATA + 1) * (RECORD_HEAD + RECORD_MORE),
	EVENTS = 256,
};

/* What waits: for the rest of its record, or to be sent. */
struct kept {
	uint8_t *bytes;
	size_t at, len;
};

struct side {
	struct pair *pair;
	int fd;
	bool ended;       /* fd's end was read */
	struct kept part; /* the beginning of a record from fd */
	struct kept left; /* what the other side sent and fd did not take yet */
};

struct pair {
	struct side client, upstream;
	SSL *ssl; /* until the handshake is done */
	uint8_t secrets[2][RECORD_SECRET];
	struct record_keys open, seal;
	struct pair *next_dead;
	bool connected, dead;
};

static struct sockaddr_in listen_at, upstream_at;
static SSL_CTX *context;
static int epoll, listener;
static struct pair *dead; /* freed after the events of one epoll_wait */
static uint8_t received[BUFFER + 1], passed[SEALED];

static struct side *other(struct side *s)
{
	return s == &s->pair->client ? &s->pair->upstream : &s->pair->client;
}

static void keep(struct kept *k, const uint8_t *bytes, size_t len)
{
	*k = (struct kept){.bytes = must_copy(bytes, len), .len = len};
}

static void drop(struct kept *k)
{
	free(k->bytes);
	*k = (struct kept){.bytes = NULL};
}

static void pair_close(struct pair *p)
{
	if (p->dead)
		return;
	p->dead = true;
	p->next_dead = dead;
	dead = p;
	close(p->client.fd);
	close(p->upstream.fd);
}

static void free_dead(void)
{
	while (dead) {
		struct pair *p = dead;

		dead = p->next_dead;
		SSL_free(p->ssl);
		record_keys_fini(&p->open);
		record_keys_fini(&p->seal);
		drop(&p->client.part);
		drop(&p->client.left);
		drop(&p->upstream.left);
		free(p);
	}
}

/* ---- bytes ---- */

static void pass(struct side *to, const uint8_t *bytes, size_t len)
{
	ssize_t sent = send(to->fd, bytes, len, MSG_NOSIGNAL);

	if (sent == (ssize_t)len)
		return;
	if (sent < 0 && errno != EAGAIN)
		pair_close(to->pair);
	else
		keep(&to->left, bytes + (sent > 0 ? sent : 0), len - (size_t)(sent > 0 ? sent : 0));
}

/* Passes on the end of `from`, once all that came before it has been written. */
static void pass_end(struct side *from)
{
	struct side *to = other(from);

	if (!from->ended || to->left.bytes)
		return;
	if (to->ended)
		pair_close(from->pair);
	else
		shutdown(to->fd, SHUT_WR);
}

/* Opens what is whole and keeps the rest. The length of the data; an alert is the client's end. */
static size_t open_all(struct side *from, const uint8_t *at, size_t len)
{
	size_t n = 0, record;

	while ((record = record_len(at, len)) > 0 && record <= len) {
		uint8_t type = 0;
		ssize_t got = record_open(&from->pair->open, at, record, passed + n, &type);

		if (got < 0 || (type != RECORD_OF_DATA && type != RECORD_ALERT)) {
			pair_close(from->pair);
			return 0;
		}
		if (type == RECORD_OF_DATA)
			n += (size_t)got;
		else
			from->ended = true;
		at += record;
		len -= record;
	}
	if (record > RECORD_MAX)
		pair_close(from->pair);
	else if (len > 0)
		keep(&from->part, at, len);
	return n;
}

static size_t seal_all(struct pair *p, uint8_t *at, size_t len)
{
	size_t n = 0, some;

	for (; len > 0; at += some, len -= some) {
		some = len < RECORD_DATA ? len : RECORD_DATA;
		n += record_seal(&p->seal, RECORD_OF_DATA, at, some, passed + n);
	}
	return n;
}

/* The bytes that are in `received`, to the other side. */
static void convert(struct side *from, size_t len)
{
	struct pair *p = from->pair;
	size_t n = from == &p->client ? open_all(from, received, len) : seal_all(p, received, len);

	if (n > 0 && !p->dead)
		pass(other(from), passed, n);
	if (from->ended && !p->dead)
		pass_end(from);
}

/* Reads until there was less than the buffer takes, or, when an end was announced, to the end. */
static void on_readable(struct side *from, bool ends)
{
	struct pair *p = from->pair;
	size_t have, room;
	ssize_t n;

	do {
		if (p->dead || from->ended || other(from)->left.bytes)
			return;
		have = from->part.len;
		room = BUFFER - have;
		if (have > 0) {
			memcpy(received, from->part.bytes, have);
			drop(&from->part);
		}
		n = recv(from->fd, received + have, room, 0);
		if (n <= 0 && have > 0)
			keep(&from->part, received, have);
		if (n < 0) {
			if (errno != EAGAIN)
				pair_close(p);
			return;
		}
		if (n == 0) {
			from->ended = true;
			pass_end(from);
			return;
		}
		convert(from, have + (size_t)n);
	} while (ends || (size_t)n == room);
}

static void on_writable(struct side *to)
{
	struct kept *left = &to->left;
	ssize_t n = send(to->fd, left->bytes + left->at, left->len - left->at, MSG_NOSIGNAL);

	if (n < 0) {
		if (errno != EAGAIN)
			pair_close(to->pair);
		return;
	}
	left->at += (size_t)n;
	if (left->at < left->len)
		return;
	drop(left);
	if (other(to)->ended)
		pass_end(other(to));
	else
		on_readable(other(to), true);
}

/* ---- the beginning ---- */

/* OpenSSL tells the secrets a line each: what it is, the client's random, and the secret, in hex.
 */
static void on_secret(const SSL *ssl, const char *line)
{
	static const char *const names[2] = {
	        "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};
	struct pair *p = SSL_get_app_data(ssl);
	size_t len;

	for (int i = 0; i < 2; i++) {
		if (strncmp(line, names[i], strlen(names[i])) == 0 &&
		        !OPENSSL_hexstr2buf_ex(
		                p->secrets[i], RECORD_SECRET, &len, strrchr(line, ' ') + 1, '\0'))
			die("OpenSSL tells a secret of another length");
	}
}

/* OpenSSL has read no byte behind the handshake, and sends no ticket. */
static void take_over(struct pair *p)
{
	SSL_free(p->ssl);
	p->ssl = NULL;
	record_keys_init(&p->open, p->secrets[0], 0);
	record_keys_init(&p->seal, p->secrets[1], 1);
}

static void begin(struct side *s, uint32_t events)
{
	struct pair *p = s->pair;

	if (s == &p->client && p->ssl) {
		int done = SSL_accept(p->ssl), error = SSL_get_error(p->ssl, done);

		if (done == 1)
			take_over(p);
		else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			pair_close(p);
	} else if (s == &p->upstream && events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) {
		p->connected = connect_result(s->fd) == 0;
		if (!p->connected)
			pair_close(p);
	}
	if (!p->dead && !p->ssl && p->connected)
		on_readable(&p->client, true);
}

static void on_event(struct side *s, uint32_t events)
{
	if (s->pair->dead)
		return;
	if (s->pair->ssl || !s->pair->connected) {
		begin(s, events);
		return;
	}
	if (s->left.bytes && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		on_writable(s);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		on_readable(s, events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP));
}

static void side_init(struct side *s, struct pair *p, int fd)
{
	uint32_t watched = 0;

	*s = (struct side){.pair = p, .fd = fd};
	watch(epoll, fd, &watched, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, s);
}

static void on_accept(void)
{
	int fd = accept_from(listener);
	struct pair *p;

	if (fd < 0)
		return;
	p = must_alloc(sizeof(*p));
	p->ssl = SSL_new(context);
	if (!p->ssl || !SSL_set_fd(p->ssl, fd))
		die("OpenSSL gives no connection");
	SSL_set_app_data(p->ssl, p);
	side_init(&p->client, p, fd);
	side_init(&p->upstream, p, connect_to(&upstream_at, NULL));
}

static SSL_CTX *make_context(const char *certificate, const char *key)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	if (!c || !SSL_CTX_use_certificate_file(c, certificate, SSL_FILETYPE_PEM) ||
	        !SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM))
		die("OpenSSL takes no such certificate");
	if (!SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) ||
	        !SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256") ||
	        !SSL_CTX_set_num_tickets(c, 0))
		die("OpenSSL gives no context");
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_keylog_callback(c, on_secret);
	return c;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	uint32_t watched = 0;

	if (argc != 5)
		die("usage: raw-tls LISTEN UPSTREAM CERTIFICATE KEY");
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	raise_descriptor_limit();
	record_init();
	context = make_context(argv[3], argv[4]);
	listen_at = parse_address(argv[1]);
	upstream_at = parse_address(argv[2]);
	listener = listen_on(&listen_at, false);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(epoll, listener, &watched, EPOLLIN, NULL);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_event(events[i].data.ptr, events[i].events);
			else
				on_accept();
		}
		free_dead();
	}
}
