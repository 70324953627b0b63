/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log_target.h"

#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A description of the same pipe or terminal that is ours alone and does not
 * block: O_NONBLOCK on the shared one would surprise other processes. */
static bool reopen_stderr(struct log_target *t)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	int fd;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return false;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return false;
	*t = (struct log_target){.fd = fd, .kind = LOG_TARGET_READY};
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

bool log_target_open(struct log_target *t, const char *name)
{
	int error = fault_next("log_open");
	int fd;

	if (error != 0) {
		errno = error;
		return false;
	}
	if (strcmp(name, "stderr") == 0) {
		open_stderr(t);
		return true;
	}
	fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return false;
	*t = (struct log_target){.fd = fd, .kind = LOG_TARGET_READY};
	return true;
}

void log_target_close(struct log_target *t)
{
	if (t->fd != STDERR_FILENO)
		close(t->fd);
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

size_t log_target_write(
        struct log_target *t, const char *text, size_t len, const _Atomic uint64_t *deadline_ms)
{
	size_t done = 0;

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
