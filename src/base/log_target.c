/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_target.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log_datagram.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SEND_BUFFER = 1024 * 1024 }; /* of syslog's and the journal's socket; as the kernel allows */

/* A description of the same pipe or terminal that is ours alone and does not
 * block: O_NONBLOCK on the shared one would surprise other processes. */
static bool reopen_stderr(struct log_target *t)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	int fd;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return false;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return false;
	bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	*t = (struct log_target){.fd = fd, .kind = is_file ? LOG_TARGET_FILE : LOG_TARGET_READY};
	return true;
}

static void open_stderr(struct log_target *t)
{
	struct stat st;

	*t = (struct log_target){.fd = STDERR_FILENO, .kind = LOG_TARGET_FILE};
	if (fstat(STDERR_FILENO, &st) < 0)
		return; /* closed: each write will say so */
	if (S_ISSOCK(st.st_mode))
		t->kind = LOG_TARGET_SOCKET;
	else if ((S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) && !reopen_stderr(t))
		t->kind = LOG_TARGET_BLOCKING;
}

static bool open_file(struct log_target *t, const char *path)
{
	int fd =
	        open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);

	struct stat st;

	if (fd < 0)
		return false;
	bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	*t = (struct log_target){.fd = fd, .kind = is_file ? LOG_TARGET_FILE : LOG_TARGET_READY};
	return true;
}

/* The socket's path, when the target is such a service: `word` or `word:PATH`. */
static const char *service_path(const char *name, const char *word, const char *usual)
{
	size_t len = strlen(word);

	if (strncmp(name, word, len) != 0 || (name[len] != '\0' && name[len] != ':'))
		return NULL;
	return name[len] == ':' ? name + len + 1 : usual;
}

static const char *socket_path(const char *name, enum log_target_kind *kind)
{
	const char *path = service_path(name, "syslog", LOG_SYSLOG_PATH);

	*kind = path ? LOG_TARGET_SYSLOG : LOG_TARGET_JOURNAL;
	return path ? path : service_path(name, "journal", LOG_JOURNAL_PATH);
}

static int connect_to(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int size = SEND_BUFFER, fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

bool log_target_open(struct log_target *t, const char *name)
{
	int error = fault_next("log_open");
	enum log_target_kind kind;
	const char *path = socket_path(name, &kind);
	struct log_target opened = {.fd = -1, .kind = kind};

	if (error != 0) {
		errno = error;
		return false;
	}
	if (strcmp(name, "stderr") == 0) {
		open_stderr(&opened);
	} else if (path) {
		opened.fd = connect_to(path);
		if (opened.fd < 0)
			return false;
	} else if (!open_file(&opened, name)) {
		return false;
	}
	opened.name = mem_strdup(name);
	*t = opened;
	return true;
}

/* What the kernel says of both, "no such device or address", leads nobody there. */
const char *log_target_words(int error, char text[LOG_ERRNO_MAX])
{
	return error == ENXIO ? "it is a pipe that nobody reads, or a socket"
	                      : log_errno_words(error, text);
}

bool log_target_can_reopen(const struct log_target *t)
{
	return t->name && strcmp(t->name, "stderr") != 0;
}

void log_target_close(struct log_target *t)
{
	if (t->fd >= 0 && t->fd != STDERR_FILENO)
		close(t->fd);
	mem_free(t->name);
	mem_free(t->datagram);
	*t = (struct log_target){.fd = -1, .kind = LOG_TARGET_FILE};
}

/* True when it takes bytes. */
static bool wait_for(struct log_target *t, const _Atomic uint64_t *deadline_ms)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};
	uint64_t deadline = atomic_load(deadline_ms);
	uint64_t wait = t->stuck ? 0 : LOG_TARGET_WAIT_MS;

	if (deadline != 0) {
		uint64_t now = clock_ms();
		uint64_t left = deadline > now ? deadline - now : 0;

		wait = left < wait ? left : wait;
	}
	if (poll(&p, 1, (int)wait) > 0)
		return true;
	t->stuck = true;
	errno = EAGAIN;
	return false;
}

static ssize_t write_some(const struct log_target *t, const char *text, size_t len)
{
	int error = fault_next("log_write");

	if (error > 0) {
		errno = error;
		return -1;
	}
	if (error == FAULT_SHORT)
		len = 1;
	if (t->kind == LOG_TARGET_SOCKET)
		return send(t->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	/* What poll() calls writable takes a page without blocking. */
	if (t->kind == LOG_TARGET_BLOCKING && len > PIPE_BUF)
		len = PIPE_BUF;
	return write(t->fd, text, len);
}

/* ---- a datagram for each line ---- */

/* What a service that was started anew leaves us with. */
static bool is_gone(int error)
{
	return error == ECONNREFUSED || error == ECONNRESET || error == ENOTCONN ||
	       error == EPIPE || error == EDESTADDRREQ || error == ENOENT || error == EBADF;
}

static bool reconnect(struct log_target *t)
{
	enum log_target_kind kind;

	if (t->fd >= 0)
		close(t->fd);
	t->fd = connect_to(socket_path(t->name, &kind));
	return t->fd >= 0;
}

static bool send_once(struct log_target *t, size_t len)
{
	int error = fault_next("log_write");

	if (error > 0) {
		errno = error;
		return false;
	}
	return send(t->fd, t->datagram, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static bool send_datagram(struct log_target *t, size_t len, const _Atomic uint64_t *deadline_ms)
{
	bool is_fresh = t->fd < 0;

	if (is_fresh && !reconnect(t))
		return false;
	while (!send_once(t, len)) {
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN && wait_for(t, deadline_ms))
			continue;
		if (is_fresh || !is_gone(errno))
			return false;
		is_fresh = true;
		if (!reconnect(t))
			return false;
	}
	t->stuck = false;
	return true;
}

static bool make_room(struct log_target *t, size_t len)
{
	if (log_datagram_room(len) <= t->room)
		return true;
	mem_free(t->datagram);
	t->room = log_datagram_room(len);
	t->datagram = mem_try(t->room);
	if (!t->datagram)
		t->room = 0;
	return t->datagram != NULL;
}

/* Of a line that the socket cannot take at all nothing can be made: it is lost. */
static bool write_datagram(
        struct log_target *t, const char *line, size_t len, const _Atomic uint64_t *deadline_ms)
{
	size_t n;

	if (!make_room(t, len))
		return false;
	n = t->kind == LOG_TARGET_SYSLOG ? log_datagram_syslog(t->datagram, line, len, getpid())
	                                 : log_datagram_journal(t->datagram, line, len);
	return send_datagram(t, n, deadline_ms);
}

static size_t write_datagrams(
        struct log_target *t, const char *text, size_t len, const _Atomic uint64_t *deadline_ms)
{
	size_t done = 0;

	while (done < len) {
		const char *end = memchr(text + done, '\n', len - done);
		size_t n = end ? (size_t)(end + 1 - (text + done)) : len - done;

		if (!write_datagram(t, text + done, n, deadline_ms))
			break;
		done += n;
	}
	return done;
}

size_t log_target_write(
        struct log_target *t, const char *text, size_t len, const _Atomic uint64_t *deadline_ms)
{
	size_t done = 0;

	if (t->kind == LOG_TARGET_SYSLOG || t->kind == LOG_TARGET_JOURNAL)
		return write_datagrams(t, text, len, deadline_ms);
	while (done < len) {
		ssize_t n;

		if (t->kind == LOG_TARGET_BLOCKING && !wait_for(t, deadline_ms))
			break;
		n = write_some(t, text + done, len - done);
		if (n > 0) {
			done += (size_t)n;
			t->stuck = false;
		} else if (n < 0 && errno == EAGAIN) {
			if (!wait_for(t, deadline_ms))
				break;
		} else if (n < 0 && errno != EINTR) {
			break;
		}
	}
	return done;
}
