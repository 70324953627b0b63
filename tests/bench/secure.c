/* SPDX-License-Identifier: BSD-2-Clause */
#include "secure.h"

#include "util.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

struct secure {
	SSL *ssl;
	bool is_counted, owes;
	int error; /* of the socket, which tells it once */
};

static SSL_CTX *context, *server;
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

static void set_up(SSL_CTX *c)
{
	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
	SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                            SSL_MODE_RELEASE_BUFFERS);
}

void secure_init(bool resume)
{
	resumes = resume;
	context = SSL_CTX_new(TLS_client_method());
	if (!context || !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"))
		die("OpenSSL gives no context");
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	set_up(context);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	if (resume)
		SSL_CTX_sess_set_new_cb(context, on_session);
}

void secure_serve(const char *certificate, const char *key)
{
	server = SSL_CTX_new(TLS_server_method());
	if (!server || !SSL_CTX_use_certificate_file(server, certificate, SSL_FILETYPE_PEM) ||
	        !SSL_CTX_use_PrivateKey_file(server, key, SSL_FILETYPE_PEM))
		die("OpenSSL takes no such certificate");
	set_up(server);
}

static struct secure *make(SSL_CTX *c, int fd)
{
	struct secure *s = must_alloc(sizeof(*s));

	s->ssl = SSL_new(c);
	if (!s->ssl || !SSL_set_fd(s->ssl, fd))
		die("OpenSSL gives no connection");
	return s;
}

struct secure *secure_accept(int fd)
{
	struct secure *s = make(server, fd);

	SSL_set_accept_state(s->ssl);
	return s;
}

/* A copy: OpenSSL marks the one that was used as not to be used again, and until a server has sent
 * the next ticket all others would begin anew. */
static void resume(SSL *ssl)
{
	SSL_SESSION *own = SSL_SESSION_dup(session);

	if (!own || !SSL_set_session(ssl, own))
		die("OpenSSL takes no session");
	SSL_SESSION_free(own);
}

struct secure *secure_new(int fd)
{
	struct secure *s = make(context, fd);

	SSL_set_tlsext_host_name(s->ssl, "localhost");
	if (resumes && session)
		resume(s->ssl);
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

	if (s->error) {
		errno = s->error;
		return -1;
	}

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

/* What came before is told first. */
static void keep_error(struct secure *s, bool has_failed)
{
	if (has_failed && errno != 0 && errno != EAGAIN &&
	        SSL_get_error(s->ssl, 0) == SSL_ERROR_SYSCALL)
		s->error = errno;
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
	keep_error(s, n < len);
	s->owes = n < len && SSL_want_write(s->ssl);
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
	keep_error(s, n < size);
	count(s);
	return n > 0 ? (ssize_t)n : failed(s);
}

bool secure_wants_write(const struct secure *s)
{
	return SSL_want_write(s->ssl);
}

bool secure_owes(const struct secure *s)
{
	return s->owes;
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
