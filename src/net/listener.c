/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/listener.h"

#include "base/mem.h"
#include "net/passed.h"
#include "net/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct listener {
	struct address address;
	unsigned n;   /* sockets */
	dev_t device; /* of a unix socket's file */
	ino_t inode;  /* 0 = there is none of ours */
	mode_t mode;  /* of the file, as it was when the kernel had made it */
	uid_t owner;
	gid_t group;
	bool is_passed;
	int backlog;
	struct socket_options socket;
	int fd[];
};

enum { WHY_MAX = 160 };

/* Returns false with errno, for the caller to pass on. */
static bool because(char why[WHY_MAX], const char *what, int error)
{
	char text[80];
	snprintf(why, WHY_MAX, "%s: %s", what, strerror_r(error, text, sizeof(text)));
	errno = error;
	return false;
}

static bool is_unix(const struct address *a)
{
	return a->sa.sa_family == AF_UNIX;
}

/* A socket that is bound to the address; -1 with errno. SO_REUSEADDR, so that
 * connections of an earlier run that are in TIME_WAIT do not matter. */
static int bound(const struct address *a, bool share_port)
{
	int fd = sys_socket(a->sa.sa_family, SOCK_STREAM);
	if (fd < 0)
		return -1;
	if ((is_unix(a) || sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0) &&
	        (!share_port || sys_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0) &&
	        (a->sa.sa_family != AF_INET6 ||
	                sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0) &&
	        sys_bind(fd, &a->sa, a->len) == 0)
		return fd;
	sys_close(fd);
	return -1;
}

static bool start_listening(
        struct listener *l, unsigned i, const struct listener_settings *s, char why[WHY_MAX])
{
	plain_set_options(l->fd[i], s->address.sa.sa_family, &s->socket);
	return sys_listen(l->fd[i], s->backlog) == 0 || because(why, "listen", errno);
}

/* The port, once known, is held by `probe` until every socket of the group has it. */
static bool open_group(
        struct listener *l, int probe, const struct listener_settings *s, char why[WHY_MAX])
{
	l->address = s->address;
	if (getsockname(probe, &l->address.sa, &l->address.len) < 0)
		return because(why, "getsockname", errno);
	for (unsigned i = 0; i < l->n; i++) {
		l->fd[i] = bound(&l->address, true);
		if (l->fd[i] < 0)
			return because(why, "bind", errno);
	}
	return true;
}

/* Our own socket that is in the way has SO_REUSEPORT too. */
static bool open_beside_own(
        struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	bool ok = true;
	l->address = s->address;
	for (unsigned i = 0; ok && i < l->n; i++) {
		l->fd[i] = bound(&l->address, true);
		ok = l->fd[i] >= 0 ? start_listening(l, i, s, why) : because(why, "bind", errno);
	}
	return ok;
}

static bool open_tcp(struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	if (s->is_beside_own)
		return open_beside_own(l, s, why);
	int probe = bound(&s->address, false);
	if (probe < 0)
		return because(why, "bind", errno);
	bool ok = open_group(l, probe, s, why);
	sys_close(probe);
	for (unsigned i = 0; ok && i < l->n; i++)
		ok = start_listening(l, i, s, why);
	return ok;
}

/* 0 when somebody answers there, or why nobody does. */
static int try_connect(const struct address *a)
{
	int fd = sys_socket(AF_UNIX, SOCK_STREAM);
	if (fd < 0)
		return errno;
	int error = sys_connect(fd, &a->sa, a->len) == 0 ? 0 : errno;
	sys_close(fd);
	/* A full backlog is an answer. */
	return error == EAGAIN ? 0 : error;
}

/* Removes the socket file of a process that is gone. */
static bool remove_stale(const struct address *a, char why[WHY_MAX])
{
	struct stat st;

	if (lstat(a->un.sun_path, &st) < 0)
		return errno == ENOENT || because(why, "stat", errno);
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, WHY_MAX, "the file exists and is no socket");
		errno = EEXIST;
		return false;
	}
	int error = try_connect(a);
	if (error == 0)
		return because(why, "bind", EADDRINUSE);
	if (error != ECONNREFUSED)
		return because(why, "connect to the socket that exists", error);
	return unlink(a->un.sun_path) == 0 || because(why, "unlink", errno);
}

/* Who may connect. Nobody can before the socket listens, so there is no moment at
 * which the wrong ones may. */
static bool set_access(const struct listener_settings *s, char why[WHY_MAX])
{
	const char *path = s->address.un.sun_path;

	if ((s->owner != (uid_t)-1 || s->group != (gid_t)-1) &&
	        lchown(path, s->owner, s->group) < 0)
		return because(why, "chown", errno);
	return !s->mode || chmod(path, s->mode) == 0 || because(why, "chmod", errno);
}

/* What the settings do not say any more is as it was at first. */
static bool change_access(
        const struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	struct listener_settings wanted = *s;
	struct stat st;

	if (lstat(s->address.un.sun_path, &st) < 0)
		return because(why, "stat", errno);
	if (wanted.owner == (uid_t)-1)
		wanted.owner = l->owner;
	if (wanted.group == (gid_t)-1)
		wanted.group = l->group;
	if (wanted.owner == st.st_uid)
		wanted.owner = (uid_t)-1;
	if (wanted.group == st.st_gid)
		wanted.group = (gid_t)-1;
	if (!wanted.mode)
		wanted.mode = l->mode;
	if (wanted.mode == (st.st_mode & 07777))
		wanted.mode = 0;
	return set_access(&wanted, why);
}

static bool open_unix(struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	struct stat st;

	l->address = s->address;
	if (!remove_stale(&s->address, why))
		return false;
	l->fd[0] = bound(&s->address, false);
	if (l->fd[0] < 0)
		return because(why, "bind", errno);
	if (lstat(s->address.un.sun_path, &st) < 0)
		return because(why, "stat", errno);
	l->device = st.st_dev;
	l->inode = st.st_ino;
	l->mode = st.st_mode & 07777;
	l->owner = st.st_uid;
	l->group = st.st_gid;
	return set_access(s, why) && start_listening(l, 0, s, why);
}

/* Whether it is what a worker can accept from; its address goes to *a. */
static bool inspect_passed(int fd, struct address *a, char why[WHY_MAX])
{
	int type = 0, listens = 0;
	socklen_t len = sizeof(type);

	a->len = sizeof(a->storage);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	        getsockname(fd, &a->sa, &a->len) < 0)
		return because(why, "what was passed", errno);
	bool is_known = a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6 || is_unix(a);
	if (type != SOCK_STREAM || !listens || !is_known) {
		snprintf(why, WHY_MAX,
		        "what was passed is no listening stream socket (a socket unit with "
		        "Accept=yes?)");
		return false;
	}
	return true;
}

/* A descriptor of our own for it, so that the one that was passed stays. Its backlog
 * and, of a unix socket, its file are the business of whoever opened it. */
static bool open_passed(struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	int fd = passed_find(s->passed, s->passed_number);

	if (fd < 0) {
		snprintf(why, WHY_MAX, "no socket of that name was passed to this process");
		return false;
	}
	l->fd[0] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (l->fd[0] < 0)
		return because(why, "dup", errno);
	if (!inspect_passed(l->fd[0], &l->address, why))
		return false;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return because(why, "fcntl", errno);
	plain_set_options(l->fd[0], l->address.sa.sa_family, &s->socket);
	return true;
}

static bool open_sockets(struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	if (s->passed)
		return open_passed(l, s, why);
	return is_unix(&s->address) ? open_unix(l, s, why) : open_tcp(l, s, why);
}

struct listener *listener_open(const struct listener_settings *s, unsigned workers, char why[160])
{
	unsigned n = s->passed || is_unix(&s->address) ? 1 : workers;
	struct listener *l = mem_new(sizeof(*l) + n * sizeof(l->fd[0]));

	l->n = n;
	l->is_passed = s->passed != NULL;
	l->backlog = s->backlog;
	l->socket = s->socket;
	for (unsigned i = 0; i < n; i++)
		l->fd[i] = -1;
	if (open_sockets(l, s, why))
		return l;
	int error = errno;
	listener_close(l);
	errno = error;
	return NULL;
}

const struct address *listener_address(const struct listener *l)
{
	return &l->address;
}

int listener_fd(const struct listener *l, unsigned worker)
{
	return l->fd[worker % l->n];
}

/* ---- while it is open ---- */

/* As a socket has it before anything is set; -1 when that cannot be found out. */
static int usual_size(int family, int option)
{
	int fd = sys_socket(family, SOCK_STREAM), size = -1;
	socklen_t len = sizeof(size);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, option, &size, &len) < 0)
		size = -1;
	sys_close(fd);
	return size;
}

/* The kernel shows, and keeps, twice what is set. Older kernels than 5.14 cannot be told to
 * go on by themselves from there. */
static void reset_size(int fd, int family, int option)
{
	int size = usual_size(family, option);

	if (size > 0)
		sys_setsockopt(fd, SOL_SOCKET, option, size / 2);
	sys_setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, 0);
}

/* First what was set and is not any more; what is set holds the sizes again. */
static void change_options(
        int fd, int family, const struct socket_options *before, const struct socket_options *now)
{
	if (before->send_buffer && !now->send_buffer)
		reset_size(fd, family, SO_SNDBUF);
	if (before->receive_buffer && !now->receive_buffer)
		reset_size(fd, family, SO_RCVBUF);
	if (family != AF_UNIX && before->keepalive_ms && !now->keepalive_ms)
		sys_setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (family != AF_UNIX && before->user_timeout_ms && !now->user_timeout_ms)
		sys_setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
	plain_set_options(fd, family, now);
}

static bool are_same(const struct socket_options *a, const struct socket_options *b)
{
	return a->send_buffer == b->send_buffer && a->receive_buffer == b->receive_buffer &&
	       a->keepalive_ms == b->keepalive_ms && a->user_timeout_ms == b->user_timeout_ms;
}

bool listener_change(struct listener *l, const struct listener_settings *s, char why[WHY_MAX])
{
	bool has_other_options = !are_same(&l->socket, &s->socket);
	bool has_other_backlog = !l->is_passed && l->backlog != s->backlog;

	for (unsigned i = 0; i < l->n; i++) {
		if (has_other_options)
			change_options(l->fd[i], l->address.sa.sa_family, &l->socket, &s->socket);
		if (has_other_backlog)
			sys_listen(l->fd[i], s->backlog);
	}
	l->backlog = s->backlog;
	l->socket = s->socket;
	return l->inode == 0 || change_access(l, s, why);
}

/* The file may have been replaced meanwhile, by a successor's. */
bool listener_has_file(const struct listener *l)
{
	struct stat st;
	return l->inode == 0 || (lstat(l->address.un.sun_path, &st) == 0 &&
	                                st.st_dev == l->device && st.st_ino == l->inode);
}

void listener_unlink(struct listener *l)
{
	if (l->inode && listener_has_file(l))
		unlink(l->address.un.sun_path);
	l->inode = 0;
}

void listener_close_own(struct listener *l, unsigned worker)
{
	if (l->is_passed || is_unix(&l->address))
		return;
	sys_close(l->fd[worker % l->n]);
	l->fd[worker % l->n] = -1;
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	/* First the file: a client finds the old socket or none, not one that refuses. */
	listener_unlink(l);
	for (unsigned i = 0; i < l->n; i++)
		if (l->fd[i] >= 0)
			sys_close(l->fd[i]);
	mem_free(l);
}
