/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/parse.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slice.h"
#include "config/config.h"
#include "config/draft.h"
#include "config/schema.h"
#include "http/uri.h"
#include "net/passed.h"
#include "net/sys.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool parse_refuse(struct parse *p, const char *why)
{
	snprintf(p->why, sizeof p->why, "%s", why);
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool parse_digits(const char *text, uint64_t *out, const char **rest)
{
	uint64_t n = 0;
	const char *at = text;
	for (; is_digit(*at); at++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		        __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
			return false;
	*out = n;
	*rest = at;
	return at > text;
}

struct suffix {
	const char *text;
	uint64_t factor;
};

/* Digits and one of the suffixes; a list ends with a NULL text. */
static bool read_number(const char *text, const struct suffix *suffix, uint64_t *out)
{
	uint64_t n;
	const char *rest;
	if (!parse_digits(text, &n, &rest))
		return false;
	for (; suffix->text; suffix++)
		if (strcmp(rest, suffix->text) == 0)
			return !__builtin_mul_overflow(n, suffix->factor, out);
	return false;
}

static void store(const struct schema_key *k, void *field, uint64_t n)
{
	uint32_t narrow = (uint32_t)n;
	assert(k->size == sizeof n || (k->size == sizeof narrow && narrow == n));
	if (k->size == sizeof n)
		memcpy(field, &n, sizeof n);
	else
		memcpy(field, &narrow, sizeof narrow);
}

static bool number(struct parse *p, void *field, const struct suffix *suffix)
{
	const struct schema_key *k = p->key;
	uint64_t n = 0;
	bool is_word = (k->flags & KEY_OFF && strcmp(p->value, "off") == 0) ||
	               (k->flags & KEY_AUTO && strcmp(p->value, "auto") == 0);
	if (!is_word) {
		if (!read_number(p->value, suffix, &n))
			return false;
		bool is_zero = n == 0 && k->flags & KEY_ZERO;
		if (!is_zero && (n < k->min || n > k->max))
			return false;
	}
	store(k, field, n);
	return true;
}

bool parse_count(struct parse *p, void *field)
{
	static const struct suffix none[] = {{"", 1}, {NULL, 0}};
	return number(p, field, none);
}

bool parse_size(struct parse *p, void *field)
{
	static const struct suffix sizes[] = {{"", 1}, {"k", 1 << 10}, {"m", 1 << 20},
	        {"g", 1 << 30}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
	return number(p, field, sizes);
}

bool parse_memory(struct parse *p, void *field)
{
	if (strcmp(p->value, "off") != 0)
		return parse_size(p, field);
	*(uint64_t *)field = CONFIG_MEMORY_OFF;
	return true;
}

bool parse_time(struct parse *p, void *field)
{
	static const struct suffix times[] = {
	        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
	if (number(p, field, times))
		return true;
	uint64_t n;
	const char *rest;
	if (parse_digits(p->value, &n, &rest) && *rest == '\0')
		return parse_refuse(p, "want a time with a unit, such as 10s");
	return false;
}

int parse_word(const struct parse *p, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(p->value, words[i]) == 0)
			return i;
	return -1;
}

bool parse_on_off(struct parse *p, void *field)
{
	static const char *const words[] = {"off", "on", NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(bool *)field = i == 1;
	return true;
}

bool parse_remask(struct parse *p, void *field)
{
	static const char *const words[] = {
	        [REMASK_AUTO] = "auto", [REMASK_ON] = "on", [REMASK_OFF] = "off", NULL};
	int i = parse_word(p, words);
	if (i < 0)
		return false;
	*(enum route_remask *)field = (enum route_remask)i;
	return true;
}

bool parse_log_level(struct parse *p, void *field)
{
	return log_level_parse(p->value, field);
}

char *parse_relative(const struct reader_file *file, const char *path)
{
	const char *slash = file ? strrchr(file->name, '/') : NULL;
	if (path[0] == '/' || !slash)
		return mem_strdup(path);
	size_t folder = (size_t)(slash - file->name) + 1, len = strlen(path);
	char *out = mem_new(folder + len + 1);
	memcpy(out, file->name, folder);
	memcpy(out + folder, path, len);
	return out;
}

bool parse_mode(struct parse *p, void *field)
{
	unsigned mode = 0;
	size_t n = strspn(p->value, "01234567");
	if (n == 0 || n > 4 || p->value[n] != '\0')
		return false;
	for (size_t i = 0; i < n; i++)
		mode = 8 * mode + (unsigned)(p->value[i] - '0');
	if (mode == 0 || mode > 0777)
		return parse_refuse(p, "want an octal mode of 0001 to 0777, such as 0660");
	*(mode_t *)field = mode;
	return true;
}

/* A user or group by number. The highest one stands for "unchanged" in chown(2). */
static bool is_id(const char *text, uint32_t *out)
{
	uint64_t n;
	const char *rest;
	if (!parse_digits(text, &n, &rest) || *rest != '\0' || n >= UINT32_MAX)
		return false;
	*out = (uint32_t)n;
	return true;
}

/* After a search that found nobody: whether that is no answer, for the system had not what it
 * takes. Of somebody who is not there, databases tell by any other errno. */
static bool is_unknown_yet(struct parse *p)
{
	if (!sys_is_lack(errno))
		return false;
	p->error = errno;
	snprintf(p->why, sizeof p->why, "cannot look it up: %s", strerror(p->error));
	return true;
}

/* NULL, and refused: there is none of that name. */
static const struct passwd *find_user(struct parse *p)
{
	errno = fault_next("getpwnam");
	const struct passwd *found = errno ? NULL : getpwnam(p->value);
	if (!found && !is_unknown_yet(p))
		parse_refuse(p, "no such user: want a name or number");
	return found;
}

bool parse_owner(struct parse *p, void *field)
{
	uint32_t id;
	if (!is_id(p->value, &id)) {
		const struct passwd *found = find_user(p);
		if (!found)
			return false;
		id = found->pw_uid;
	}
	*(uid_t *)field = id;
	return true;
}

/* One that is not listed is a user all the same. */
static bool look_for_id(struct parse *p, uint32_t id, const struct passwd **out)
{
	errno = fault_next("getpwuid");
	*out = errno ? NULL : getpwuid(id);
	return *out || !is_unknown_yet(p);
}

/* The user's own group too, unless another one was given. */
bool parse_user(struct parse *p, void *field)
{
	struct config_identity *who = field;
	const struct passwd *found;
	uint32_t id = 0;

	if (is_id(p->value, &id)) {
		if (!look_for_id(p, id, &found))
			return false;
	} else {
		found = find_user(p);
		if (!found)
			return false;
	}
	mem_free(who->user);
	who->user = mem_strdup(p->value);
	who->uid = found ? found->pw_uid : id;
	if (found && who->gid == (gid_t)-1)
		who->gid = found->pw_gid;
	return true;
}

bool parse_group(struct parse *p, void *field)
{
	uint32_t id;
	if (!is_id(p->value, &id)) {
		errno = fault_next("getgrnam");
		const struct group *found = errno ? NULL : getgrnam(p->value);
		if (!found)
			return is_unknown_yet(p)
			               ? false
			               : parse_refuse(p, "no such group: want a name or number");
		id = found->gr_gid;
	}
	*(gid_t *)field = id;
	return true;
}

bool parse_port(const char *text, uint16_t *out)
{
	uint64_t n;
	const char *rest;
	if (!parse_digits(text, &n, &rest) || *rest != '\0' || n < 1 || n > 65535)
		return false;
	*out = (uint16_t)n;
	return true;
}

bool parse_refuse_port(struct parse *p)
{
	return parse_refuse(p, "want a port of 1..65535");
}

bool parse_unix_address(struct parse *p, const char *path, struct address *out)
{
	if (path[0] == '\0')
		return parse_refuse(p, "want a path behind unix:");
	char *whole = parse_relative(p->file, path);
	size_t len = strlen(whole);
	bool fits = len < sizeof out->un.sun_path;
	if (fits) {
		memset(out, 0, sizeof *out);
		out->un.sun_family = AF_UNIX;
		memcpy(out->un.sun_path, whole, len + 1);
		out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	} else {
		snprintf(p->why, sizeof p->why, "socket path of %zu bytes: want at most %zu", len,
		        sizeof out->un.sun_path - 1);
	}
	mem_free(whole);
	return fits;
}

static bool bind_address(struct parse *p, struct address *out)
{
	if (strncmp(p->value, "unix:", 5) == 0)
		return parse_unix_address(p, p->value + 5, out);
	if (strncmp(p->value, "fd:", 3) == 0) {
		*out = (struct address){.len = 0};
		return passed_is_name(p->value + 3) ||
		       parse_refuse(p, "want a name behind fd:, without blanks and ':'");
	}
	const char *colon = strrchr(p->value, ':');
	uint16_t port;
	if (!colon)
		return false;
	if (!parse_port(colon + 1, &port))
		return parse_refuse_port(p);
	if (colon == p->value || strncmp(p->value, "*:", 2) == 0) {
		snprintf(p->why, sizeof p->why,
		        "want 0.0.0.0:%u, and [::]:%u in a line of its own, for every address",
		        port, port);
		return false;
	}
	if (!address_parse(out, p->value))
		return parse_refuse(p,
		        "want an IPv4 address, an IPv6 address in [], or unix:PATH; names are not "
		        "looked up here");
	return true;
}

bool parse_bind(struct parse *p, void *field)
{
	struct draft_listener *l = field;
	struct address a;
	if (!bind_address(p, &a))
		return false;
	l->bind = mem_resize(l->bind, (l->bind_n + 1) * sizeof l->bind[0]);
	l->bind[l->bind_n++] = (struct draft_bind){p->entry, mem_strdup(p->value), a};
	return true;
}

static bool is_path_byte(char c)
{
	return c > 0x20 && c < 0x7f && !strchr("?#*\"<>\\^`{|}", c);
}

/* The normal form is what requests are compared in, so nothing else would match. */
static bool is_normal(struct parse *p, const char *path, size_t len)
{
	uint8_t *normal = mem_new(len + 1);
	ssize_t n = uri_normalise_path(slice_of(path, len), normal);
	normal[n >= 0 ? n : 0] = '\0';
	bool is_same = n >= 0 && slice_equal(slice_of(normal, (size_t)n), slice_of(path, len));
	if (!is_same && n >= 0) {
		char quoted[PROBLEM_QUOTE_MAX];
		snprintf(p->why, sizeof p->why, "want the normal form, %s",
		        problem_quote((const char *)normal, quoted));
	}
	mem_free(normal);
	return is_same;
}

bool parse_path(struct parse *p, void *field)
{
	struct draft_path *path = field;
	size_t len = strlen(p->value);
	bool is_prefix = len > 0 && p->value[len - 1] == '*';
	size_t keep = is_prefix ? len - 1 : len;
	if (p->value[0] != '/')
		return false;
	for (size_t i = 0; i < keep; i++) {
		if (p->value[i] == '*')
			return parse_refuse(p, "want '*' only at the end");
		if (!is_path_byte(p->value[i]))
			return parse_refuse(
			        p, "want a path without query and blanks, other bytes as %XX");
	}
	if (!is_normal(p, p->value, keep))
		return false;
	mem_free(path->text);
	path->prefix = is_prefix;
	/* "/" begins every path. */
	path->text = is_prefix && keep == 1 ? NULL : mem_strdup(p->value);
	if (path->text)
		path->text[keep] = '\0';
	return true;
}

static bool is_redirect(uint64_t status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_url(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at <= 0x20 || *at >= 0x7f || strchr("\"<>\\^`{|}", *at))
			return false;
	return text[0] == '/' || strstr(text, "://") > text;
}

bool parse_respond(struct parse *p, void *field)
{
	struct draft_respond *out = field;
	uint64_t status;
	const char *rest;
	if (!parse_digits(p->value, &status, &rest) || rest - p->value != 3 || status < 200 ||
	        status > 599)
		return false;
	if (*rest != '\0' && *rest != ' ' && *rest != '\t')
		return false;
	const char *url = rest + strspn(rest, " \t");
	if (!is_redirect(status) && *url != '\0')
		return parse_refuse(p, "want a URL only with 301, 302, 303, 307 and 308");
	if (is_redirect(status) && *url == '\0')
		return parse_refuse(
		        p, "want a URL behind the status, such as 301 https://example.com/");
	if (is_redirect(status) && !is_url(url))
		return parse_refuse(
		        p, "want a URL such as https://example.com/ or /path, other bytes as %XX");
	mem_free(out->location);
	*out = (struct draft_respond){(unsigned)status, *url ? mem_strdup(url) : NULL};
	return true;
}

static bool is_reference(const char *text)
{
	return text[0] != '\0' && !strpbrk(text, " \t,");
}

bool parse_name(struct parse *p, void *field)
{
	if (!is_reference(p->value))
		return parse_refuse(p, "want one name");
	*(const struct reader_entry **)field = p->entry;
	return true;
}

bool parse_names(struct parse *p, void *field)
{
	struct draft_names *names = field;
	if (!is_reference(p->value))
		return parse_refuse(p, "want one name");
	names->entry = mem_resize(names->entry, (names->n + 1) * sizeof names->entry[0]);
	names->entry[names->n++] = p->entry;
	return true;
}

bool parse_include(struct parse *p, void *field)
{
	(void)field;
	return p->value[0] != '\0';
}
