/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/sys.h"

#include "base/fault.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

/* The C library's own functions for these calls are cancellation points, and in a process with
 * threads each pays two locked instructions for that. No thread of ours is ever cancelled.
 * Sanitizers watch the library's functions. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
        __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_WATCHED      1
#define CALL(name, ...) name(__VA_ARGS__)
#else
#define IS_WATCHED      0
#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
#endif

#ifdef MOONGATE_FAULTS
static _Thread_local bool lied;

bool sys_lied(void)
{
	return lied;
}
#define SET_LIED(value) (lied = (value))
#else
#define SET_LIED(value) ((void)0)
#endif

/* True when the plan fails this call; errno is set. */
static bool is_failed(const char *name)
{
	int fault = fault_next(name);
	if (fault <= 0)
		return false;
	errno = fault;
	return true;
}

/* The same for transfers, which may also be cut to one byte. */
static bool is_transfer_failed(const char *name, size_t *len)
{
	int fault = fault_next(name);
	SET_LIED(fault == EAGAIN || (fault == FAULT_SHORT && *len > 1));
	if (fault == FAULT_SHORT && *len > 1)
		*len = 1;
	if (fault <= 0)
		return false;
	errno = fault;
	return true;
}

int sys_socket(int family, int type)
{
	if (is_failed("socket"))
		return -1;
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int sys_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return is_failed("bind") ? -1 : bind(fd, sa, len);
}

int sys_listen(int fd, int backlog)
{
	return is_failed("listen") ? -1 : listen(fd, backlog);
}

int sys_accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	int got;
	do
		got = is_failed("accept")
		              ? -1
		              : (int)CALL(accept4, fd, sa, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (got < 0 && errno == EINTR);
	return got;
}

int sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int r = is_failed("connect") ? -1 : (int)CALL(connect, fd, sa, len);
	/* An interrupted connect goes on by itself; calling again would be EALREADY. */
	if (r < 0 && errno == EINTR)
		errno = EINPROGRESS;
	return r;
}

ssize_t sys_recv(int fd, void *buf, size_t len)
{
	ssize_t n;
	do
		n = is_transfer_failed("recv", &len)
		            ? -1
		            : CALL(recvfrom, fd, buf, len, 0, (void *)NULL, (void *)NULL);
	while (n < 0 && errno == EINTR);
	return n;
}

static inline ssize_t send_with(int fd, const void *buf, size_t len, int flags)
{
	ssize_t n;
	do
		n = is_transfer_failed("send", &len)
		            ? -1
		            : CALL(sendto, fd, buf, len, flags, (void *)NULL, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t sys_send(int fd, const void *buf, size_t len)
{
	return send_with(fd, buf, len, MSG_NOSIGNAL);
}

ssize_t sys_send_last(int fd, const void *buf, size_t len)
{
	return send_with(fd, buf, len, MSG_NOSIGNAL | MSG_MORE);
}

static ssize_t send_iov(int fd, const struct iovec *iov, int n)
{
	/* The kernel does not write through msg_iov. */
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	return CALL(sendmsg, fd, &m, MSG_NOSIGNAL);
}

ssize_t sys_writev(int fd, const struct iovec *iov, int n)
{
#ifdef MOONGATE_FAULTS
	size_t all = 0, len;
	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	len = all;
	if (is_transfer_failed("writev", &len)) {
		if (errno != EINTR)
			return -1;
	} else if (len < all) {
		while (iov->iov_len == 0)
			iov++;
		return send(fd, iov->iov_base, len, MSG_NOSIGNAL);
	}
#endif
	ssize_t done;
	do
		done = send_iov(fd, iov, n);
	while (done < 0 && errno == EINTR);
	return done;
}

size_t sys_unsent(int fd)
{
	int n = 0;
	if (is_failed("unsent") || ioctl(fd, SIOCOUTQ, &n) < 0 || n < 0)
		return 0;
	return (size_t)n;
}

bool sys_is_empty(int fd)
{
	char byte;
	ssize_t n;
	do
		n = is_failed("peek") ? -1 : recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN;
}

int sys_shutdown(int fd)
{
	return is_failed("shutdown") ? -1 : shutdown(fd, SHUT_WR);
}

int sys_setsockopt(int fd, int level, int name, int value)
{
	return is_failed("setsockopt") ? -1 : setsockopt(fd, level, name, &value, sizeof(value));
}

int sys_getsockopt(int fd, int level, int name, int *value)
{
	socklen_t len = sizeof(*value);
	return is_failed("getsockopt") ? -1 : getsockopt(fd, level, name, value, &len);
}

int sys_socket_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (is_failed("socket_error") || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

int sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return is_failed("getsockname") ? -1 : getsockname(fd, sa, len);
}

int sys_open(const char *path, int flags, mode_t mode)
{
	int fd;
	do
		fd = is_failed("open") ? -1 : open(path, flags | O_CLOEXEC | O_NONBLOCK, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

ssize_t sys_read(int fd, void *buf, size_t len)
{
	ssize_t n;
	do
		n = is_transfer_failed("read", &len) ? -1 : read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

DIR *sys_opendir(const char *path)
{
	return is_failed("opendir") ? NULL : opendir(path);
}

bool sys_is_lack(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN:
		return true;
	default:
		return false;
	}
}

#if !IS_WATCHED
/* Of EPOLLERR libevent makes EV_READ | EV_WRITE, which is what bytes make too. A reset always has
 * the peer's end with it (whoever watches for that), an end always EPOLLIN: so an end
 * without it is left to tell of one. */
static void mark_resets(struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++)
		if ((events[i].events & (EPOLLERR | EPOLLRDHUP)) == (EPOLLERR | EPOLLRDHUP))
			events[i].events = EPOLLRDHUP;
}

static _Thread_local bool is_called;

/* What libevent calls: a program's own function comes before that of a library. libevent asks
 * for up to 4096 events. The kernel would look at as many sockets, then libevent at all it
 * knows of them, and when they are served, nothing of that would be left in the processor's
 * cache. What is more than a few comes with the next turn: the kernel serves in turn. */
__attribute__((visibility("default"))) int epoll_wait(
        int fd, struct epoll_event *events, int max, int wait_ms)
{
	is_called = true;
	max = max < SYS_EVENTS_MAX ? max : SYS_EVENTS_MAX;
	int n = (int)syscall(SYS_epoll_pwait, fd, events, max, wait_ms, NULL, 0);
	mark_resets(events, n);
	return n;
}

bool sys_tells_resets(void)
{
	return is_called;
}

static _Thread_local int closing_fd = -1;
static atomic_bool may_fork;

void sys_expect_forks(void)
{
	atomic_store(&may_fork, true);
}

void sys_close_follows(int fd)
{
	closing_fd = atomic_load_explicit(&may_fork, memory_order_relaxed) ? -1 : fd;
}

__attribute__((visibility("default"))) int epoll_ctl(
        int epoll, int what, int fd, struct epoll_event *event)
{
	if (what == EPOLL_CTL_DEL && fd == closing_fd)
		return 0;
	return (int)syscall(SYS_epoll_ctl, epoll, what, fd, event);
}
#else
bool sys_tells_resets(void)
{
	return false;
}

void sys_expect_forks(void)
{
}

void sys_close_follows(int fd)
{
	(void)fd;
}
#endif

int sys_eventfd(void)
{
	return is_failed("eventfd") ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

struct event_base *sys_event_base(const struct event_config *c)
{
	return is_failed("event_base") ? NULL : event_base_new_with_config(c);
}

int sys_event_add(struct event *e)
{
	return is_failed("event_add") ? -1 : event_add(e, NULL);
}

/* Linux releases the descriptor even when close() says EINTR: never try again. */
void sys_close(int fd)
{
	int error = errno;
	CALL(close, fd);
	errno = error;
}

void sys_close_reset(int fd)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	int error = errno;
	if (!is_failed("close_reset"))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	errno = error;
}
