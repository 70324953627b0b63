/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/notify.h"

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	TEXT_MAX = 1024,
	STATUS_MAX = 600,
	WAIT_S = 2, /* for a manager whose queue is full */
};

/* One socket for all messages: when descriptors run out, the watchdog is still fed. */
static int socket_fd = -1;
static struct sockaddr_un manager;
static socklen_t manager_len;
static uint64_t watchdog_us;
static bool is_stopping;
static bool has_failed; /* and this was logged */

static bool refuse(char why[160], const char *what, const char *value)
{
	snprintf(why, 160, "%s = %.60s: %s", what, value,
	        errno ? strerror(errno) : "makes no sense");
	return false;
}

/* A path, or a name behind '@' in the kernel's own name space. */
static bool take_address(const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(manager.sun_path))
		return false;
	manager = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(manager.sun_path, name, len);
	/* Names count to their last byte, paths to the NUL behind it. */
	manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	if (name[0] == '@')
		manager.sun_path[0] = '\0';
	return true;
}

static bool parse_number(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

/* WATCHDOG_PID: the process that is meant, when it is another one than ours. */
static bool take_watchdog(char why[160])
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t wanted, whose = (uint64_t)getpid();

	if (!usec)
		return true;
	if (!parse_number(usec, &wanted) || wanted == 0)
		return refuse(why, "WATCHDOG_USEC", usec);
	if (pid && !parse_number(pid, &whose))
		return refuse(why, "WATCHDOG_PID", pid);
	if (whose == (uint64_t)getpid())
		watchdog_us = wanted;
	return true;
}

static bool open_socket(void)
{
	const struct timeval wait = {WAIT_S, 0};

	socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return socket_fd >= 0 &&
	       setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0;
}

static bool take(char why[160])
{
	const char *name = getenv("NOTIFY_SOCKET");

	errno = 0;
	if (!name || name[0] == '\0')
		return true;
	if (!take_address(name) || !open_socket())
		return refuse(why, "NOTIFY_SOCKET", name);
	return take_watchdog(why);
}

bool notify_init(char why[160])
{
	bool good = take(why);

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	is_stopping = has_failed = false;
	if (!good)
		notify_fini();
	return good;
}

void notify_fini(void)
{
	if (socket_fd >= 0)
		close(socket_fd);
	socket_fd = -1;
	watchdog_us = 0;
}

uint64_t notify_watchdog_us(void)
{
	return watchdog_us;
}

static void send_text(const char *text, int flags)
{
	ssize_t n;

	if (socket_fd < 0)
		return;
	do
		n = sendto(socket_fd, text, strlen(text), flags | MSG_NOSIGNAL,
		        (const struct sockaddr *)&manager, manager_len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && !has_failed) {
		struct log_line l;

		log_begin(&l, LOG_LEVEL_WARN, "notify_failed");
		log_errno(&l, "error", errno);
		log_end(&l);
	}
	has_failed = n < 0;
}

/* What is told, and STATUS= behind it, in which the end of a line would be another one's
 * beginning. */
static void send_status(const char *what, const char *format, va_list args)
{
	char status[STATUS_MAX], text[TEXT_MAX];

	vsnprintf(status, sizeof(status), format, args);
	for (char *c = status; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	snprintf(text, sizeof(text), "%sSTATUS=%s", what, status);
	send_text(text, 0);
}

void notify_ready(const char *format, ...)
{
	char what[80];
	va_list args;

	snprintf(what, sizeof(what), "READY=1\nMAINPID=%d\n", (int)getpid());
	va_start(args, format);
	send_status(what, format, args);
	va_end(args);
}

void notify_reloading(void)
{
	char what[120];
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(what, sizeof(what), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading",
	        (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	send_text(what, 0);
}

void notify_status(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	send_status("", format, args);
	va_end(args);
}

void notify_stopping(uint32_t more_ms, const char *format, ...)
{
	char what[80];
	va_list args;

	snprintf(what, sizeof(what), "%sEXTEND_TIMEOUT_USEC=%" PRIu64 "\n",
	        is_stopping ? "" : "STOPPING=1\n", (uint64_t)more_ms * 1000);
	is_stopping = true;
	va_start(args, format);
	send_status(what, format, args);
	va_end(args);
}

/* One that does not get through is followed by another. */
void notify_alive(void)
{
	send_text("WATCHDOG=1", MSG_DONTWAIT);
}
