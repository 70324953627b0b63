/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/openable.h"

#include "base/log.h"
#include "base/log_target.h"
#include "base/mem.h"
#include "config/config.h"
#include "daemon/say.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 0, or why no file can be made there. */
static int folder_refuses(const char *path)
{
	char *copy = mem_strdup(path);
	int error = access(dirname(copy), W_OK | X_OK) == 0 ? 0 : errno;

	mem_free(copy);
	return error;
}

/* 0, or why the pipe cannot be written to; it needs a reader. */
static int pipe_refuses(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

/* 0, or why the file can neither be appended to nor made. */
static int append_refuses(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? folder_refuses(path) : errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (S_ISFIFO(st.st_mode))
		return pipe_refuses(path);
	if (S_ISSOCK(st.st_mode))
		return ENXIO;
	return access(path, W_OK) == 0 ? 0 : errno;
}

/* No file: a word, perhaps with the path of a socket behind it. */
static bool is_word(const char *target)
{
	static const char *const words[] = {"stderr", "syslog", "journal"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if (strncmp(words[i], target, len) == 0 &&
		        (target[len] == '\0' || target[len] == ':'))
			return true;
	}
	return false;
}

/* 0, or why syslog or the journal cannot be reached. Nothing is sent. */
static int service_refuses(const char *target)
{
	struct log_target t;

	if (!log_target_open(&t, target))
		return errno;
	log_target_close(&t);
	return 0;
}

/* Whether there was no error; told if there was. */
static bool is_fine(
        const char *path, const struct config *c, const char *key, const char *target, int error)
{
	char words[LOG_ERRNO_MAX];

	if (error != 0)
		say("%s: [moongate] %s = %s: %s", config_place(c, key, path), key, target,
		        log_target_words(error, words));
	return error == 0;
}

static bool check_log(const char *path, const struct config *c, const char *key, const char *target)
{
	if (!target)
		return true;
	return is_fine(path, c, key, target,
	        is_word(target) ? service_refuses(target) : append_refuses(target));
}

static bool refuse(const struct config_bind *b, const char *why)
{
	say("%s: [listener %s] bind = %s: %s", b->place, b->listener->name, b->text, why);
	return false;
}

static bool is_ours(gid_t group)
{
	gid_t groups[64];
	int n = getgroups(sizeof(groups) / sizeof(groups[0]), groups);

	for (int i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return group == getegid();
}

/* Only root can give a socket's file to somebody else. */
static bool check_owner(const struct config_bind *b)
{
	const struct listener_settings *s = &b->settings;

	if (geteuid() == 0)
		return true;
	if (s->owner != (uid_t)-1 && s->owner != geteuid())
		return refuse(b, "chown: its owner can only be who the daemon is");
	if (s->group != (gid_t)-1 && !is_ours(s->group))
		return refuse(b, "chown: its group can only be one that the daemon is in");
	return true;
}

static bool check_bind(const struct config_bind *b)
{
	const struct address *a = &b->settings.address;
	char words[LOG_ERRNO_MAX];
	struct stat st;
	int error;

	if (b->settings.passed || a->sa.sa_family != AF_UNIX)
		return true;
	error = folder_refuses(a->un.sun_path);
	if (error != 0)
		return refuse(b, log_errno_words(error, words));
	if (lstat(a->un.sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return refuse(b, "the file exists and is no socket");
	return check_owner(b);
}

bool openable_check(const char *path, const struct config *c)
{
	bool good = check_log(path, c, "log", c->log);

	good = check_log(path, c, "access_log", c->access_log) && good;
	if (c->tls_key_log)
		good = is_fine(path, c, "tls_key_log", c->tls_key_log,
		               append_refuses(c->tls_key_log)) &&
		       good;
	for (size_t i = 0; i < c->bind_n; i++)
		good = check_bind(&c->bind[i]) && good;
	return good;
}
