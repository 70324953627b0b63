/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/tls_wire.h"

#include "base/mem.h"
#include "net/tls_private.h"
#include "net/worker_private.h"

enum { SIZE = WORKER_RX_HEADROOM + WORKER_RX_SIZE + TLS_GATHER_MAX + TLS_WIRE_OUT };

struct tls_wire *tls_wire_of(struct worker *w)
{
	struct tls_wire *wire = w->priv->wire;
	if (wire)
		return wire;
	wire = mem_try(sizeof *wire + SIZE);
	if (!wire)
		return NULL;
	*wire = (struct tls_wire){.plain = (uint8_t *)(wire + 1) + WORKER_RX_HEADROOM};
	wire->gather = wire->plain + WORKER_RX_SIZE;
	wire->out = wire->gather + TLS_GATHER_MAX;
	w->priv->wire = wire;
	return wire;
}

void tls_wire_free(struct tls_wire *wire)
{
	mem_free(wire);
}

bool tls_wire_flush(struct tls *t)
{
	struct tls_wire *wire = t->wire;
	struct slice v = slice_of(wire->out, wire->out_len);
	wire->out_len = 0;
	return v.len == 0 || t->below->send(t->stream, &v, 1);
}

/* ---- what OpenSSL calls ---- */

static int bio_read(BIO *b, char *to, size_t size, size_t *got)
{
	struct tls *t = BIO_get_data(b);
	struct tls_wire *wire = t->wire;
	size_t n = wire->reader == t ? wire->in.len : 0;
	BIO_clear_retry_flags(b);
	if (t->flags & TLS_FLOOD)
		return 0;
	if (n == 0) {
		BIO_set_retry_read(b);
		return 0;
	}
	n = n < size ? n : size;
	memcpy(to, wire->in.at, n);
	wire->in = slice_of(wire->in.at + n, wire->in.len - n);
	*got = n;
	return 1;
}

/* Takes everything: what a socket does not take at once the stream keeps. */
static int bio_write(BIO *b, const char *from, size_t len, size_t *done)
{
	struct tls *t = BIO_get_data(b);
	struct tls_wire *wire = t->wire;
	BIO_clear_retry_flags(b);
	*done = len;
	while (len > 0) {
		size_t room = TLS_WIRE_OUT - wire->out_len, n = len < room ? len : room;
		memcpy(wire->out + wire->out_len, from, n);
		wire->out_len += n;
		from += n;
		len -= n;
		if (wire->out_len == TLS_WIRE_OUT && !tls_wire_flush(t))
			return 0;
	}
	return 1;
}

static long bio_ctrl(BIO *b, int command, long number, void *p)
{
	(void)b, (void)number, (void)p;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "moongate");
	if (!method)
		return;
	BIO_meth_set_read_ex(method, bio_read);
	BIO_meth_set_write_ex(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
}

BIO *tls_wire_bio(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_method);
	BIO *b = method ? BIO_new(method) : NULL;
	if (!b)
		return NULL;
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	return b;
}
