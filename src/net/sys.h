/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Every fallible system call of the data path, so that a FAULTS=1 build can
 * make any of them fail or fall short (base/fault.h; the fault's name is the
 * function's without `sys_`). Same results and errno as the calls themselves;
 * EINTR is handled here. All descriptors are made non-blocking and
 * close-on-exec. Any thread. */

#include <dirent.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct event;
struct event_base;
struct event_config;

int sys_socket(int family, int type);
int sys_bind(int fd, const struct sockaddr *sa, socklen_t len);
int sys_listen(int fd, int backlog);
int sys_accept(int fd, struct sockaddr *sa, socklen_t *len);
int sys_connect(int fd, const struct sockaddr *sa, socklen_t len);
ssize_t sys_recv(int fd, void *buf, size_t len);
ssize_t sys_send(int fd, const void *buf, size_t len); /* MSG_NOSIGNAL */
/* The same where sys_shutdown() follows: what fills no segment waits for the FIN. */
ssize_t sys_send_last(int fd, const void *buf, size_t len);
ssize_t sys_writev(int fd, const struct iovec *iov, int n); /* sendmsg, MSG_NOSIGNAL */
size_t sys_unsent(int fd); /* bytes that the peer's kernel has not acknowledged; 0 when unknown */
bool sys_is_empty(int fd); /* a receive would bring nothing now: no bytes, end or error */
int sys_shutdown(int fd);  /* the sending side */
int sys_setsockopt(int fd, int level, int name, int value);
int sys_getsockopt(int fd, int level, int name, int *value);
int sys_socket_error(int fd); /* SO_ERROR, which this clears */
int sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len);
int sys_open(const char *path, int flags, mode_t mode);
ssize_t sys_read(int fd, void *buf, size_t len); /* of a file */
DIR *sys_opendir(const char *path);
int sys_eventfd(void);
/* event_base_new_with_config() and event_add(), in which libevent makes an epoll and adds a
 * descriptor to it: there may be too many of either, or too little memory. */
struct event_base *sys_event_base(const struct event_config *c);
int sys_event_add(struct event *e);
/* At most so many events come of one wait, of libevent's too (sys.c; under sanitizers as many
 * as it asks for). */
enum { SYS_EVENTS_MAX = 128 };
/* Whether a wait of this thread tells a reset from bytes: one that any came before is EV_CLOSED
 * without EV_READ, if that is watched for. It does where libevent has called what sys.c has for
 * it; not under sanitizers: there a reset is EV_READ | EV_WRITE, as libevent has it. */
bool sys_tells_resets(void);
/* The next time this thread would take fd out of an epoll, the kernel is not asked to: it
 * does so itself when fd is closed, which follows at once. libevent cannot be told to leave the
 * call out. -1: none is any more. */
void sys_close_follows(int fd);
/* From now on the process may fork at any time, as scripts can make it. Until a child
 * has left what it was born with, closing a descriptor here takes nothing out of an epoll: so the
 * kernel is asked again. */
void sys_expect_forks(void);
void sys_close(int fd);
/* Closes with a reset instead of a FIN (SO_LINGER 0). */
void sys_close_reset(int fd);

/* Whether a call failed with that errno because the system had not what it takes, such as
 * descriptors, buffers or memory: another time, with nothing changed, it may have. */
bool sys_is_lack(int error);

/* Whether this thread's last recv, send or writev fell short (or said EAGAIN) by
 * a fault alone. The kernel knows nothing of it, so no edge will follow. */
#ifdef MOONGATE_FAULTS
bool sys_lied(void);
#else
static inline bool sys_lied(void)
{
	return false;
}
#endif
