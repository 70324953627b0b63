/* SPDX-License-Identifier: BSD-2-Clause */

/* A load generator: many WebSocket clients in one thread, on epoll. It checks every byte
 * that comes back, and whatever is not as it should be ends it with exit status 1.
 *
 *     echo        connections that keep `depth` messages in flight
 *     handshakes  connect, upgrade, echo one message, close; over and over
 *     idle        connections that echo one message and then only stay
 *
 * First all connections are opened and warmed up, then measured. The result is one JSON
 * object. Whoever wants to read the server's CPU time or memory between these steps gives
 * --gated and a pipe as input: it then prints `ready` and waits for a line with nothing in
 * flight before it measures, and keeps the connections until the input ends. */

#include "histogram.h"
#include "image.h"
#include "secure.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER = 256 * 1024,
	EVENTS = 256,
	OPENING_MAX = 64, /* handshakes at once while the connections are opened */
	SOURCES = 64,     /* source addresses on loopback, so that ports do not run out */
	STALL_MS = 10000, /* no event for so long: something was lost */
	CLOSE_NORMAL = 1000,
};

enum mode { ECHO, HANDSHAKES, IDLE };
static const char *const mode_names[] = {"echo", "handshakes", "idle", NULL};
static const char *const kind_names[] = {"binary", "ascii", "mixed", "ping", NULL};

static struct {
	struct sockaddr_in address;
	const char *path;
	enum mode mode;
	enum image_kind kind;
	unsigned connections, depth;
	size_t size;
	uint64_t messages; /* 0: measure for `seconds` */
	double seconds, warmup;
	unsigned pause_ms; /* before each handshake but the first, on average */
	bool gated, tls, resume;
} opt = {.path = "/", .connections = 100, .depth = 1, .size = 20, .seconds = 1, .warmup = 0.2};

enum state { CLOSED, UPGRADING, OPEN, CLOSING };

struct client {
	int fd;
	struct secure *tls; /* NULL = none */
	uint32_t watched;
	unsigned number;
	enum state state;
	bool close_received;
	size_t request_sent;
	struct head head;

	/* Messages that may go out and bytes that went and came, counted from the first
	 * message of the image: connections begin at different ones. */
	uint64_t allowed, out, in;
	uint64_t *since; /* when each message in flight was allowed, by its number modulo depth */
	uint64_t opened_at;

	uint8_t reply[WS_HEADER_MAX + WS_CONTROL_MAX]; /* a control frame to send */
	size_t reply_len;
	uint8_t control[WS_HEADER_MAX + WS_CONTROL_MAX]; /* one that is arriving */
	size_t control_len;
};

static struct image image;
static struct client *clients;
static char request[512], accept_value[WS_ACCEPT_SIZE];
static size_t request_len;
static uint8_t buffer[BUFFER];

static struct {
	int epoll;
	unsigned opening;   /* handshakes that are not finished */
	unsigned open;      /* connections, from connect to their end */
	uint64_t in_flight; /* messages, or connections of a handshakes run */
	uint64_t budget;    /* messages that may still be sent */
	uint64_t deadline;  /* the time after which none is sent */
	uint64_t pings, sources;
	bool told, input_ended;
} run;

static struct histogram latency, setup; /* setup: from connect to the 101 */

/* Begins a message, or a connection of a handshakes run, if it is still time. */
static bool may_begin(uint64_t now)
{
	if (!run.budget || now >= run.deadline)
		return false;
	run.budget--;
	run.in_flight++;
	return true;
}

static void finished(uint64_t since, uint64_t now)
{
	run.in_flight--;
	histogram_add(&latency, now - since);
}

/* Sending */

static bool at_frame_start(const struct client *c)
{
	return c->out % image.sent_len == 0;
}

/* What may be sent now: the request, a control frame between two others, or messages. */
static size_t due(const struct client *c, const uint8_t **from)
{
	if (c->state == UPGRADING) {
		*from = (const uint8_t *)request + c->request_sent;
		return request_len - c->request_sent;
	}
	if (c->reply_len && at_frame_start(c)) {
		*from = c->reply;
		return c->reply_len;
	}
	*from = image.sent + c->out % (image.variants * image.sent_len);
	if (c->reply_len)
		return image.sent_len - c->out % image.sent_len;
	return c->allowed * image.sent_len - c->out;
}

static void was_sent(struct client *c, size_t n, size_t len)
{
	if (c->state == UPGRADING) {
		c->request_sent += n;
	} else if (c->reply_len && at_frame_start(c)) {
		if (n < len)
			die("connection %u: %zu of %zu bytes of a control frame sent", c->number, n,
			        len);
		c->reply_len = 0;
	} else {
		c->out += n;
	}
}

static void flush(struct client *c)
{
	const uint8_t *from;
	size_t len;
	bool full = false;

	while (!full && (len = due(c, &from)) != 0) {
		ssize_t n = c->tls ? secure_send(c->tls, from, len)
		                   : send(c->fd, from, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			die("connection %u: send: %s", c->number, strerror(errno));
		full = n < (ssize_t)len;
		if (n > 0)
			was_sent(c, (size_t)n, len);
	}
	if (full && c->tls)
		full = secure_wants_write(c->tls);
	watch(run.epoll, c->fd, &c->watched, full ? EPOLLIN | EPOLLOUT : EPOLLIN, c);
}

static uint64_t received(const struct client *c)
{
	return c->in / image.echo_len;
}

static void allow_one(struct client *c, uint64_t now)
{
	c->since[c->allowed++ % opt.depth] = now;
}

static void allow(struct client *c, uint64_t now)
{
	while (c->allowed - received(c) < opt.depth && may_begin(now))
		allow_one(c, now);
	flush(c);
}

static void put_reply(struct client *c, unsigned opcode, const uint8_t *payload, size_t len)
{
	static const uint8_t key[4] = {0x5a, 0xc3, 0x96, 0x0f};
	size_t n = ws_put_header(c->reply, (uint8_t)(WS_FIN | opcode), len, key);

	ws_mask(c->reply + n, payload, len, key, 0);
	c->reply_len = n + len;
}

static void begin_close(struct client *c)
{
	put_reply(c, WS_CLOSE, (const uint8_t[]){CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff}, 2);
	c->state = CLOSING;
	flush(c);
}

/* A connection's life */

static void client_open(struct client *c)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	bool loopback = ntohl(opt.address.sin_addr.s_addr) >> 24 == 127;

	from.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)(run.sources++ % SOURCES));
	c->state = UPGRADING;
	c->close_received = false;
	c->request_sent = 0;
	c->allowed = c->number % image.variants;
	c->out = c->allowed * image.sent_len;
	c->in = c->allowed * image.echo_len;
	c->opened_at = now_ns();
	c->fd = connect_to(&opt.address, loopback ? &from : NULL);
	c->tls = opt.tls ? secure_new(c->fd) : NULL;
	watch(run.epoll, c->fd, &c->watched, EPOLLOUT, c);
	run.opening++;
	run.open++;
}

/* Of random length, so that who comes next meets whatever its forerunner has left to be done. */
static void pause_some(void)
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		die("no random bytes");
	usleep(random % (2000 * opt.pause_ms));
}

static void client_end(struct client *c)
{
	uint64_t now = now_ns();

	if (c->state != CLOSING || !c->close_received)
		die("connection %u was lost", c->number);
	if (c->tls)
		secure_free(c->tls);
	close(c->fd);
	c->watched = 0;
	c->state = CLOSED;
	run.open--;
	if (opt.mode == HANDSHAKES) {
		finished(c->opened_at, now);
		if (opt.pause_ms)
			pause_some();
		if (may_begin(now_ns()))
			client_open(c);
	}
}

static void on_upgraded(struct client *c, uint64_t now)
{
	size_t len;
	const char *accept = head_field(&c->head, "Sec-WebSocket-Accept", &len);

	if (strncmp(c->head.bytes, "HTTP/1.1 101 ", 13) != 0)
		die("connection %u: answered %.*s", c->number, (int)strcspn(c->head.bytes, "\r"),
		        c->head.bytes);
	if (!accept || len != strlen(accept_value) || memcmp(accept, accept_value, len) != 0)
		die("connection %u: wrong Sec-WebSocket-Accept", c->number);
	head_free(&c->head);
	c->state = OPEN;
	run.opening--;
	histogram_add(&setup, now - c->opened_at);
	if (opt.mode == HANDSHAKES)
		allow_one(c, c->opened_at);
	flush(c);
}

/* Receiving */

static void on_control(struct client *c, const struct ws_header *h, const uint8_t *payload)
{
	unsigned code = h->len >= 2 ? (unsigned)(payload[0] << 8 | payload[1]) : 0;

	switch (h->first & 0x0f) {
	case WS_PING:
		run.pings++;
		if (c->state == OPEN)
			put_reply(c, WS_PONG, payload, (size_t)h->len);
		break;
	case WS_CLOSE:
		if (c->state != CLOSING || code != CLOSE_NORMAL)
			die("connection %u: unexpected close %u %.*s", c->number, code,
			        h->len > 2 ? (int)h->len - 2 : 0, (const char *)payload + 2);
		c->close_received = true;
		break;
	default:
		die("connection %u: unexpected frame, first byte %02x", c->number, h->first);
	}
}

/* Takes bytes of a control frame, which may come in parts; they are rare. */
static size_t take_control(struct client *c, const uint8_t *buf)
{
	struct ws_header h;
	size_t n;

	c->control[c->control_len++] = buf[0];
	n = ws_get_header(&h, c->control, c->control_len);
	if (!(c->control[0] & 0x08) || (n && (h.masked || h.len > WS_CONTROL_MAX)))
		die("connection %u: message %" PRIu64 " has a wrong header", c->number,
		        received(c));
	if (n && c->control_len == n + h.len) {
		c->control_len = 0;
		on_control(c, &h, c->control + n);
	}
	return 1;
}

static size_t same_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t n = 0;

	if (memcmp(a, b, len) == 0)
		return len;
	while (a[n] == b[n])
		n++;
	return n;
}

/* Takes what is as expected: all, or as much as lies before a control frame. */
static size_t take_echo(struct client *c, const uint8_t *buf, size_t len, uint64_t now)
{
	size_t turn = image.variants * image.echo_len;
	uint64_t before = received(c);
	size_t n = same_bytes(buf, image.echo + c->in % turn, len < turn ? len : turn);

	c->in += n;
	if (n < len && n < turn && c->in % image.echo_len != 0)
		die("connection %u: message %" PRIu64 ": wrong byte at %" PRIu64 " of its frame",
		        c->number, received(c), c->in % image.echo_len);
	if (c->in > c->allowed * image.echo_len)
		die("connection %u: more came back than was sent", c->number);
	for (uint64_t i = before; opt.mode != HANDSHAKES && i < received(c); i++)
		finished(c->since[i % opt.depth], now);
	return n;
}

static void take_frames(struct client *c, const uint8_t *buf, size_t len, uint64_t now)
{
	while (len) {
		size_t n = c->control_len ? take_control(c, buf) : take_echo(c, buf, len, now);

		if (!n)
			n = take_control(c, buf);
		buf += n;
		len -= n;
	}
}

static void on_readable(struct client *c)
{
	ssize_t n = c->tls ? secure_recv(c->tls, buffer, BUFFER) : recv(c->fd, buffer, BUFFER, 0);
	uint64_t now = now_ns();
	size_t used = 0;
	bool complete = true;

	if (n < 0 && errno == EAGAIN) {
		if (c->tls && c->state == UPGRADING)
			flush(c); /* the handshake may have come further */
		return;
	}
	if (n < 0)
		die("connection %u: recv: %s", c->number, strerror(errno));
	if (n == 0) {
		client_end(c);
		return;
	}
	if (c->state == UPGRADING) {
		used = head_add(&c->head, buffer, (size_t)n, &complete);
		if (!complete)
			return;
		on_upgraded(c, now);
	}
	take_frames(c, buffer + used, (size_t)n - used, now);
	if (opt.mode == HANDSHAKES && c->state == OPEN && received(c) == c->allowed)
		begin_close(c);
	else if (opt.mode == HANDSHAKES || c->state != OPEN)
		flush(c);
	else
		allow(c, now);
}

static void on_client(struct client *c, uint32_t events)
{
	int error;

	if (c->state == UPGRADING && !c->request_sent && (error = connect_result(c->fd)) != 0)
		die("connection %u: connect: %s", c->number, strerror(error));
	if (events & EPOLLOUT)
		flush(c);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		do
			on_readable(c);
		while (c->state != CLOSED && c->tls && secure_has_more(c->tls));
	}
}

/* The phases */

static void on_input(void)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	run.told |= n > 0;
	run.input_ended |= n <= 0;
}

static void turn(bool patient)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(run.epoll, events, EVENTS, patient ? -1 : STALL_MS);

	if (n == 0)
		die("stalled: %u connections, %u opening, %" PRIu64 " in flight", run.open,
		        run.opening, run.in_flight);
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			on_client(events[i].data.ptr, events[i].events);
		else
			on_input();
	}
}

static void open_all(void)
{
	for (unsigned i = 0; i < opt.connections; i++) {
		client_open(&clients[i]);
		while (run.opening >= OPENING_MAX)
			turn(false);
	}
	while (run.opening)
		turn(false);
}

static void close_all(void)
{
	for (unsigned i = 0; i < opt.connections; i++)
		if (clients[i].state == OPEN)
			begin_close(&clients[i]);
	while (run.open)
		turn(false);
}

/* Keeps everybody busy until the time or the budget is used and all came back. Returns
 * the seconds that took. */
static double phase(double seconds, uint64_t messages)
{
	uint64_t start = now_ns();

	run.deadline = seconds > 0 ? start + (uint64_t)(seconds * 1e9) : UINT64_MAX;
	run.budget = messages;
	memset(&latency, 0, sizeof(latency));
	memset(&setup, 0, sizeof(setup));
	for (unsigned i = 0; i < opt.connections; i++) {
		if (opt.mode != HANDSHAKES)
			allow(&clients[i], now_ns());
		else if (may_begin(now_ns()))
			client_open(&clients[i]);
	}
	while (run.in_flight)
		turn(false);
	return (double)(now_ns() - start) / 1e9;
}

/* Waits for a line on the input, or for its end. Pings are answered meanwhile. */
static void wait_for_input(const bool *come)
{
	uint32_t watched = 0;

	fflush(stdout);
	watch(run.epoll, STDIN_FILENO, &watched, EPOLLIN, NULL);
	while (!*come && !run.input_ended)
		turn(true);
	watch(run.epoll, STDIN_FILENO, &watched, 0, NULL);
}

static double microseconds(const struct histogram *h, double part)
{
	return (double)histogram_quantile(h, part) / 1e3;
}

static void report(double seconds)
{
	printf("{\"mode\": \"%s\", \"connections\": %u, \"depth\": %u, \"size\": %zu, "
	       "\"kind\": \"%s\", \"messages\": %" PRIu64 ", \"seconds\": %.6f, "
	       "\"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"max_us\": %.1f, \"setup_p50_us\": %.1f, \"setup_p99_us\": %.1f, \"pings\": "
	       "%" PRIu64 ", \"tls\": %lu, \"resumed\": %lu}\n",
	        mode_names[opt.mode], opt.connections, opt.depth, opt.size, kind_names[opt.kind],
	        latency.count, seconds, (double)latency.count / seconds,
	        microseconds(&latency, 0.5), microseconds(&latency, 0.99),
	        microseconds(&latency, 0.999), (double)latency.max / 1e3, microseconds(&setup, 0.5),
	        microseconds(&setup, 0.99), run.pings, secure_handshakes(), secure_resumed());
}

/* Options */

static unsigned one_of(const char *const *names, const char *text, const char *what)
{
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	die("%s: no such thing as %s", what, text);
}

static unsigned parse_count(const char *text, const char *what)
{
	uint64_t n = parse_number(text, what);

	if (n < 1 || n > 1000000)
		die("%s: want 1 to 1000000, got %s", what, text);
	return (unsigned)n;
}

static void set_option(int letter, const char *value)
{
	switch (letter) {
	case 'a':
		opt.address = parse_address(value);
		break;
	case 'p':
		opt.path = value;
		break;
	case 'm':
		opt.mode = (enum mode)one_of(mode_names, value, "mode");
		break;
	case 'k':
		opt.kind = (enum image_kind)one_of(kind_names, value, "kind");
		break;
	case 'c':
		opt.connections = parse_count(value, "connections");
		break;
	case 'P':
		opt.pause_ms = parse_count(value, "pause");
		break;
	case 'd':
		opt.depth = parse_count(value, "depth");
		break;
	case 's':
		opt.size = parse_number(value, "size");
		break;
	case 'n':
		opt.messages = parse_number(value, "messages");
		break;
	case 't':
		opt.seconds = parse_seconds(value, "seconds");
		break;
	case 'w':
		opt.warmup = parse_seconds(value, "warmup");
		break;
	case 'g':
		opt.gated = true;
		break;
	case 'r':
		opt.resume = true;
		opt.tls = true;
		break;
	case 'T':
		opt.tls = true;
		break;
	default:
		die("see the options at the end of load.c");
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option options[] = {
	        {"address", required_argument, NULL, 'a'}, /* IPV4:PORT */
	        {"path", required_argument, NULL, 'p'},
	        {"mode", required_argument, NULL, 'm'},        /* echo, handshakes, idle */
	        {"kind", required_argument, NULL, 'k'},        /* binary, ascii, mixed, ping */
	        {"connections", required_argument, NULL, 'c'}, /* or handshakes at once */
	        {"depth", required_argument, NULL, 'd'},       /* messages in flight on each */
	        {"size", required_argument, NULL, 's'},        /* bytes of payload */
	        {"messages", required_argument, NULL, 'n'},    /* in all; instead of seconds */
	        {"seconds", required_argument, NULL, 't'},
	        {"warmup", required_argument, NULL, 'w'}, /* seconds */
	        {"pause", required_argument, NULL,
	                'P'}, /* ms between handshakes of a lone client */
	        {"gated", no_argument, NULL, 'g'},
	        {"tls", no_argument, NULL, 'T'},
	        {"resume", no_argument, NULL, 'r'}, /* of TLS sessions */
	        {NULL, 0, NULL, 0},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(letter, optarg);
	if (!opt.address.sin_port || optind != argc)
		die("want --address IPV4:PORT and options only");
	if (opt.mode != ECHO)
		opt.depth = 1;
	if (opt.kind == IMAGE_PING && opt.size > WS_CONTROL_MAX)
		die("a ping has at most %d bytes", WS_CONTROL_MAX);
}

static void make_request(void)
{
	uint8_t nonce[16];
	char key[32], host[INET_ADDRSTRLEN];
	int n;

	if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
		die("no random bytes");
	EVP_EncodeBlock((uint8_t *)key, nonce, sizeof(nonce));
	ws_accept(accept_value, key, strlen(key));
	inet_ntop(AF_INET, &opt.address.sin_addr, host, sizeof(host));
	n = snprintf(request, sizeof(request),
	        "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	        "Origin: https://bench.example.org\r\n"
	        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
	        opt.path, host, ntohs(opt.address.sin_port), key);
	if (n < 0 || (size_t)n >= sizeof(request))
		die("the path is too long");
	request_len = (size_t)n;
}

static void make_clients(void)
{
	uint64_t *since = must_alloc(opt.connections * opt.depth * sizeof(*since));

	clients = must_alloc(opt.connections * sizeof(*clients));
	for (unsigned i = 0; i < opt.connections; i++) {
		clients[i].number = i;
		clients[i].since = since + (size_t)i * opt.depth;
	}
}

int main(int argc, char **argv)
{
	bool by_number;

	read_options(argc, argv);
	raise_descriptor_limit();
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	image_init(&image, opt.kind, opt.size, opt.depth);
	make_request();
	make_clients();
	if (opt.tls)
		secure_init(opt.resume);

	if (opt.mode == IDLE)
		opt.messages = opt.connections;
	by_number = opt.messages > 0;
	if (opt.mode != HANDSHAKES)
		open_all();
	if (opt.mode != IDLE && opt.warmup > 0)
		phase(opt.warmup, UINT64_MAX);
	if (opt.gated) {
		printf("ready\n");
		wait_for_input(&run.told);
	}
	report(phase(by_number ? 0 : opt.seconds, by_number ? opt.messages : UINT64_MAX));
	if (opt.gated || opt.mode == IDLE)
		wait_for_input(&run.input_ended);
	close_all();
	return 0;
}
