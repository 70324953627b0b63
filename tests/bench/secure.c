/* SPDX-License-Identifier: BSD-2-Clause */
#include "secure.h"

#include "util.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct secure {
	SSL *ssl;
	bool is_counted;
};

static SSL_CTX *context;
static SSL_SESSION *session;
static bool resumes;
static unsigned long handshakes, resumed;

static int on_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = s;
	return 1;
}

void secure_init(bool resume)
{
	resumes = resume;
	context = SSL_CTX_new(TLS_client_method());
	if (!context || !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"))
		die("OpenSSL gives no context");
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                                  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	if (resume)
		SSL_CTX_sess_set_new_cb(context, on_session);
}

struct secure *secure_new(int fd)
{
	struct secure *s = must_alloc(sizeof(*s));

	s->ssl = SSL_new(context);
	if (!s->ssl || !SSL_set_fd(s->ssl, fd))
		die("OpenSSL gives no connection");
	SSL_set_tlsext_host_name(s->ssl, "localhost");
	if (resumes && session)
		SSL_set_session(s->ssl, session);
	SSL_set_connect_state(s->ssl);
	return s;
}

void secure_free(struct secure *s)
{
	SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	free(s);
}

static void count(struct secure *s)
{
	if (s->is_counted || !SSL_is_init_finished(s->ssl))
		return;
	s->is_counted = true;
	handshakes++;
	resumed += (unsigned long)SSL_session_reused(s->ssl);
}

/* 0 = an end; -1 with errno. */
static ssize_t failed(struct secure *s)
{
	int error = SSL_get_error(s->ssl, 0);

	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		errno = EAGAIN;
	} else if (error == SSL_ERROR_SSL) {
		die("TLS: %s", ERR_reason_error_string(ERR_get_error()));
	} else if (errno == 0) {
		return 0;
	}
	return -1;
}

ssize_t secure_send(struct secure *s, const void *at, size_t len)
{
	size_t n = 0, done;

	while (n < len) {
		errno = 0;
		if (!SSL_write_ex(s->ssl, (const char *)at + n, len - n, &done))
			break;
		n += done;
	}
	count(s);
	return n > 0 ? (ssize_t)n : failed(s);
}

ssize_t secure_recv(struct secure *s, void *to, size_t size)
{
	size_t n = 0, got;

	while (n < size) {
		errno = 0;
		if (!SSL_read_ex(s->ssl, (char *)to + n, size - n, &got))
			break;
		n += got;
	}
	count(s);
	return n > 0 ? (ssize_t)n : failed(s);
}

bool secure_wants_write(const struct secure *s)
{
	return SSL_want_write(s->ssl);
}

bool secure_has_more(const struct secure *s)
{
	return SSL_pending(s->ssl) > 0;
}

unsigned long secure_handshakes(void)
{
	return handshakes;
}

unsigned long secure_resumed(void)
{
	return resumed;
}
