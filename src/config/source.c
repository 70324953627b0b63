/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/source.h"

#include "base/mem.h"
#include "config/schema.h"
#include "net/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SIZE_MAX_KIB = 1024, /* of one file */
	FILES_MAX = 256,
	DEPTH_MAX = 8,
};

struct contents {
	char *text;
	size_t len;
	struct stat info;
};

/* Why a file was not read. */
struct refusal {
	char text[PROBLEM_QUOTE_MAX];
	int error; /* errno of the call that failed; 0 = none did */
};

/* Returns false. */
static __attribute__((format(printf, 2, 3))) bool refuse(
        struct refusal *why, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
	return false;
}

static bool refuse_failed(struct refusal *why, const char *what)
{
	why->error = errno;
	return refuse(why, "%s: %s", what, strerror(why->error));
}

static const char *refuse_type(mode_t mode)
{
	return S_ISDIR(mode)    ? "it is a directory"
	       : S_ISFIFO(mode) ? "it is a pipe"
	       : S_ISSOCK(mode) ? "it is a socket"
	                        : "it is no regular file";
}

/* Reads until the end or one byte over the limit. */
static bool read_all(int fd, struct contents *c)
{
	size_t limit = (size_t)SIZE_MAX_KIB * 1024 + 1;
	size_t room = (size_t)c->info.st_size + 1;
	room = room > limit ? limit : room < 4096 ? 4096 : room;
	c->text = mem_new(room);
	while (c->len < limit) {
		if (c->len == room) {
			room = 2 * room > limit ? limit : 2 * room;
			c->text = mem_resize(c->text, room);
		}
		ssize_t n = sys_read(fd, c->text + c->len, room - c->len);
		if (n <= 0)
			return n == 0;
		c->len += (size_t)n;
	}
	return true;
}

static bool read_open(int fd, struct contents *c, struct refusal *why)
{
	if (fstat(fd, &c->info) != 0)
		return refuse_failed(why, "cannot read it");
	if (!S_ISREG(c->info.st_mode))
		return refuse(why, "%s", refuse_type(c->info.st_mode));
	bool fits = c->info.st_size <= (off_t)SIZE_MAX_KIB * 1024;
	if (fits && !read_all(fd, c))
		return refuse_failed(why, "cannot read it");
	if (!fits || c->len > (size_t)SIZE_MAX_KIB * 1024)
		return refuse(why, "it is too large: want at most %d KiB", SIZE_MAX_KIB);
	return true;
}

/* O_NONBLOCK: opening a pipe must not wait for a writer. */
static bool read_file(const char *path, struct contents *c, struct refusal *why)
{
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0)
		return refuse_failed(why, "cannot open it");
	bool ok = read_open(fd, c, why);
	sys_close(fd);
	return ok;
}

static struct source *add(struct sources *s, const char *name, const struct source *includer)
{
	struct source *new = mem_new(sizeof *new);
	new->file = (struct reader_file){mem_strdup(name), (unsigned)s->n};
	new->includer = includer;
	s->at = mem_resize(s->at, (s->n + 1) * sizeof(struct source *));
	s->at[s->n++] = new;
	return new;
}

/* Why a file may not be read from another; NULL if it may. */
static const char *refuse_include(
        const struct sources *s, const struct source *includer, const struct stat *info)
{
	unsigned depth = 0;
	for (const struct source *at = includer; at; at = at->includer, depth++)
		if (at->device == info->st_dev && at->inode == info->st_ino)
			return "it includes itself";
	if (depth > DEPTH_MAX)
		return "includes are nested too deeply";
	return s->n >= FILES_MAX ? "too many files" : NULL;
}

static bool load(struct sources *s, struct draft *d, const char *path,
        const struct source *includer, struct refusal *why);

struct include {
	struct draft *d;
	const struct source *from;
	const struct reader_section *section;
	const struct reader_entry *entry;
};

static void refuse_include_of(const struct include *i, const char *path, const struct refusal *why)
{
	char name[PROBLEM_QUOTE_MAX];
	draft_error(i->d, i->section, i->entry, "%s: %s%s", problem_quote(path, name), why->text,
	        draft_list_hint(i->section, i->entry));
	problem_cause(&i->d->problems, why->error);
}

static void include_one(struct sources *s, const struct include *i, const char *path)
{
	struct refusal why = {.error = 0};
	if (!load(s, i->d, path, i->from, &why))
		refuse_include_of(i, path, &why);
}

/* ---- patterns ---- */

/* The folder that glob() could not open, of the pattern that it is at: it says so only to a
 * function that knows of nothing else. */
static struct {
	char *path; /* owned; NULL = none */
	struct refusal why;
} closed;

static int on_closed_folder(const char *path, int error)
{
	if (error == ENOENT)
		return 0;
	closed.path = mem_strdup(path);
	errno = error;
	refuse_failed(&closed.why, "cannot open it");
	return 1;
}

static void *open_folder(const char *path)
{
	return sys_opendir(path);
}

static struct dirent *read_folder(void *folder)
{
	return readdir(folder);
}

static void close_folder(void *folder)
{
	closedir(folder);
}

/* A pattern may match nothing; but what stands in a folder that cannot be looked into is not to
 * be passed over. */
static void include_matches(struct sources *s, const struct include *i, const char *pattern)
{
	glob_t found = {.gl_opendir = open_folder,
	        .gl_readdir = read_folder,
	        .gl_closedir = close_folder,
	        .gl_stat = stat,
	        .gl_lstat = lstat};
	int result = glob(pattern, GLOB_NOESCAPE | GLOB_ALTDIRFUNC, on_closed_folder, &found);
	if (result == 0)
		for (size_t k = 0; k < found.gl_pathc; k++)
			include_one(s, i, found.gl_pathv[k]);
	else if (closed.path)
		refuse_include_of(i, closed.path, &closed.why);
	else if (result == GLOB_NOSPACE)
		refuse_include_of(i, pattern,
		        &(struct refusal){.text = "no memory to look for it", .error = ENOMEM});
	else if (*draft_list_hint(i->section, i->entry))
		draft_error(i->d, i->section, i->entry, "no file has such a name%s",
		        draft_list_hint(i->section, i->entry));
	globfree(&found);
	mem_free(closed.path);
	closed.path = NULL;
}

/* A pattern may match nothing, a plain name must exist. */
static void include(struct sources *s, const struct include *i)
{
	if (i->d->is_memory) {
		draft_error(i->d, i->section, i->entry, "want no include: this text is no file");
		return;
	}
	char *pattern = parse_relative(&i->from->file, i->entry->value);
	if (i->entry->value[0] == '\0')
		; /* told when the value is parsed */
	else if (!strpbrk(pattern, "*?["))
		include_one(s, i, pattern);
	else
		include_matches(s, i, pattern);
	mem_free(pattern);
}

/* Follows the includes of one file's sections, those from `first` on. */
static void follow(struct sources *s, struct draft *d, const struct source *from, size_t first)
{
	size_t end = d->doc.n;
	for (size_t i = first; i < end; i++) {
		const struct reader_section *section = d->doc.section[i];
		if (strcmp(section->kind, schema_section[KIND_MOONGATE].name) != 0)
			continue;
		for (size_t k = 0; k < section->entry_n; k++) {
			const struct reader_entry *e = &section->entry[k];
			if (strcmp(e->key, "include") == 0)
				include(s, &(struct include){d, from, section, e});
		}
	}
}

static void take(
        struct sources *s, struct draft *d, struct source *from, const char *text, size_t len)
{
	size_t first = d->doc.n;
	reader_read(&d->doc, &from->file, text, len, &d->problems);
	follow(s, d, from, first);
}

static bool load(struct sources *s, struct draft *d, const char *path,
        const struct source *includer, struct refusal *why)
{
	struct contents c = {.text = NULL};
	bool ok = read_file(path, &c, why);
	const char *refused = ok ? refuse_include(s, includer, &c.info) : NULL;
	if (refused)
		refuse(why, "%s", refused);
	if (ok && !refused) {
		struct source *new = add(s, path, includer);
		new->device = c.info.st_dev;
		new->inode = c.info.st_ino;
		if (c.info.st_mode & S_IWOTH)
			problem_warning(&d->problems, reader_place(&new->file, 0),
			        "every user of this host may write this file");
		take(s, d, new, c.text, c.len);
	}
	mem_free(c.text);
	return ok && !refused;
}

bool source_load(struct sources *s, struct draft *d, const char *path)
{
	struct refusal why = {.error = 0};
	bool ok = load(s, d, path, NULL, &why);
	if (!ok) {
		problem_error(&d->problems, (struct problem_place){path, 0, 0}, "%s", why.text);
		problem_cause(&d->problems, why.error);
	}
	return ok && d->problems.lacks == 0;
}

void source_load_text(
        struct sources *s, struct draft *d, const char *name, const char *text, size_t len)
{
	d->is_memory = true;
	take(s, d, add(s, name, NULL), text, len);
}

void sources_fini(struct sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		mem_free(s->at[i]->file.name);
		mem_free(s->at[i]);
	}
	mem_free(s->at);
}
