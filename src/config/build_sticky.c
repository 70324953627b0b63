/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build_sticky.h"

#include "config/draft.h"
#include "net/sys.h"
#include "upstream/sticky.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void check_idle(struct draft *d, const struct draft_upstream *u)
{
	static const char *const keys[] = {"sticky_secret", "sticky_attributes", "sticky_ttl"};
	if (draft_is_refused(u->section, "sticky"))
		return;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct reader_entry *e = reader_find(u->section, keys[i]);
		if (e && strcmp(e->value, "off") != 0 && draft_is_whole(u->section))
			draft_error(d, u->section, e, "does nothing: want sticky = COOKIE too");
	}
}

struct secret {
	uint8_t at[STICKY_SECRET_MAX + 2]; /* one byte too many shows that it is too long */
	size_t len;
	mode_t mode;
	int error; /* errno of the call that failed; 0 = none did */
};

static const char *fail(struct secret *s)
{
	s->error = errno;
	return strerror(s->error);
}

static const char *read_open(int fd, struct secret *s)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return fail(s);
	if (!S_ISREG(info.st_mode))
		return "it is no regular file";
	s->mode = info.st_mode;
	while (s->len < sizeof s->at) {
		ssize_t n = sys_read(fd, s->at + s->len, sizeof s->at - s->len);
		if (n == 0)
			return NULL;
		if (n < 0)
			return fail(s);
		s->len += (size_t)n;
	}
	return NULL;
}

/* A newline at the end is not part of it: editors and tools disagree about it. */
static void trim(struct secret *s)
{
	if (s->len > 0 && s->at[s->len - 1] == '\n')
		s->len--;
	if (s->len > 0 && s->at[s->len - 1] == '\r')
		s->len--;
}

/* O_NONBLOCK: opening a pipe must not wait for a writer. */
static bool read_secret(struct draft *d, const struct draft_upstream *u,
        const struct reader_entry *e, struct secret *s)
{
	int fd = sys_open(u->sticky_secret, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const char *wrong = fd < 0 ? fail(s) : read_open(fd, s);
	if (fd >= 0)
		sys_close(fd);
	if (wrong) {
		draft_error(d, u->section, e, "cannot read it: %s", wrong);
		problem_cause(&d->problems, s->error);
		return false;
	}
	trim(s);
	if (s->len >= STICKY_SECRET_MIN && s->len <= STICKY_SECRET_MAX)
		return true;
	draft_error(d, u->section, e,
	        "too %s a secret: want a file of %d to %d random bytes, such as of "
	        "'openssl rand -hex 32'",
	        s->len < STICKY_SECRET_MIN ? "short" : "long", STICKY_SECRET_MIN,
	        STICKY_SECRET_MAX);
	return false;
}

static void warn_open(
        struct draft *d, const struct draft_upstream *u, const struct reader_entry *e, mode_t mode)
{
	char title[DRAFT_TITLE_MAX];
	if (mode & (S_IROTH | S_IWOTH))
		problem_warning(&d->problems, reader_place(u->section->file, e->line),
		        "%s sticky_secret: every user of this host may %s this file",
		        draft_title(u->section, title), mode & S_IWOTH ? "write" : "read");
}

void build_sticky(struct draft *d, struct draft_upstream *u)
{
	if (!u->sticky) {
		check_idle(d, u);
		return;
	}
	const struct reader_entry *e = reader_find(u->section, "sticky_secret");
	struct secret secret = {.len = 0};
	if (!u->sticky_secret) {
		if (!e && draft_is_whole(u->section))
			draft_error(d, u->section, reader_find(u->section, "sticky"),
			        "want sticky_secret = PATH too");
		return;
	}
	if (d->is_memory || !read_secret(d, u, e, &secret))
		return;
	warn_open(d, u, e, secret.mode);
	u->group->sticky = sticky_new(u->section->name, u->sticky, u->sticky_attributes,
	        u->sticky_ttl_ms / 1000, slice_of(secret.at, secret.len));
	explicit_bzero(secret.at, sizeof secret.at);
	if (!u->group->sticky)
		draft_error(d, u->section, e, "libcrypto cannot make an HMAC of it");
}
