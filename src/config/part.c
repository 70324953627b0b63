/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/part.h"

#include "base/mem.h"
#include "config/draft.h"
#include "config/schema.h"
#include "net/tls_client.h"
#include "proxy/proxy.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What holds and lets go of a part of each kind. A further kind is a row here, one of
 * part_kind, and a step in carry.c. */
static void ref_listener(void *at)
{
	proxy_listener_ref(at);
}
static void unref_listener(void *at)
{
	proxy_listener_unref(at);
}
static void ref_group(void *at)
{
	upstream_group_ref(at);
}
static void unref_group(void *at)
{
	upstream_group_unref(at);
}
static void ref_route(void *at)
{
	route_ref(at);
}
static void unref_route(void *at)
{
	route_unref(at);
}

static const struct {
	enum schema_kind section;
	void (*ref)(void *at);
	void (*unref)(void *at);
} kinds[PART_KINDS] = {
        [PART_LISTENER] = {KIND_LISTENER, ref_listener, unref_listener},
        [PART_UPSTREAM] = {KIND_UPSTREAM, ref_group, unref_group},
        [PART_ROUTE] = {KIND_ROUTE, ref_route, unref_route},
};

/* ---- the digest ---- */

/* An entry and its row: NULL for keys whose order means something, which come last. */
struct line {
	const struct schema_key *row, *key;
	const struct reader_section *section;
	const struct reader_entry *entry;
	size_t number;
};

/* With its length, so that two texts do not run into each other. */
static void put(EVP_MD_CTX *md, const void *bytes, size_t len)
{
	uint64_t n = len;

	EVP_DigestUpdate(md, &n, sizeof n);
	EVP_DigestUpdate(md, bytes, len);
}

static void put_text(EVP_MD_CTX *md, const char *text)
{
	put(md, text, strlen(text));
}

/* What does not read to its end was refused where it is read to be used. */
static void put_contents(EVP_MD_CTX *md, const char *path)
{
	enum { CONTENTS_MAX = 1 << 20 };
	char room[4096];
	size_t sum = 0;
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	while (fd >= 0 && sum < CONTENTS_MAX && (n = read(fd, room, sizeof room)) > 0) {
		put(md, room, (size_t)n);
		sum += (size_t)n;
	}
	explicit_bzero(room, sizeof room);
	put_text(md, n == 0 ? "end" : "unreadable");
	if (fd >= 0)
		close(fd);
}

static void put_command_file(void *md, const char *path)
{
	put_contents(md, path);
}

/* The folder belongs to a value: relative paths begin there. */
static void put_line(EVP_MD_CTX *md, const struct draft *d, const struct line *l)
{
	bool is_file = l->key->flags & KEY_FILE;
	char *path = parse_relative(l->section->file, is_file ? l->entry->value : ".");

	put_text(md, l->entry->key);
	put_text(md, l->entry->value);
	put_text(md, path);
	if (is_file && !d->is_memory)
		put_contents(md, path);
	if (l->key->parse == parse_tls_command && !d->is_memory)
		tls_client_command_files(l->entry->value, put_command_file, md);
	mem_free(path);
}

/* Their order means something, also between one such key and another: header rules. */
static bool is_ordered(const struct schema_key *k)
{
	return k->flags & KEY_REPEAT && k->size == 0;
}

static int by_row(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->row != y->row)
		return !x->row ? 1 : !y->row || x->row < y->row ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void add_lines(struct part_lines *all, const struct reader_section *s, enum schema_kind kind)
{
	all->at = mem_resize(all->at, (all->n + s->entry_n + 1) * sizeof all->at[0]);
	for (size_t i = 0; i < s->entry_n; i++) {
		const struct schema_key *k = schema_find(kind, s->entry[i].key);
		if (!k)
			continue; /* which was refused */
		all->at[all->n] =
		        (struct line){is_ordered(k) ? NULL : k, k, s, &s->entry[i], all->n};
		all->n++;
	}
}

struct part_lines part_defaults(const struct draft *d)
{
	struct part_lines all = {.at = NULL};

	for (size_t i = 0; i < d->defaults_n; i++)
		add_lines(&all, d->defaults_from[i], KIND_DEFAULTS);
	if (all.n > 0)
		qsort(all.at, all.n, sizeof all.at[0], by_row);
	return all;
}

void part_lines_fini(struct part_lines *all)
{
	mem_free(all->at);
}

/* A value in the section takes the place of those of [defaults]; rules come behind them. */
static bool is_replaced(const struct part_lines *own, const struct schema_key *row)
{
	for (size_t i = 0; row && i < own->n; i++)
		if (own->at[i].row == row)
			return true;
	return false;
}

static void put_section(EVP_MD_CTX *md, const struct draft *d, const struct part_lines *own,
        const struct part_lines *defaults)
{
	for (size_t i = 0; i < own->n; i++)
		put_line(md, d, &own->at[i]);
	put_text(md, "defaults");
	for (size_t i = 0; defaults && i < defaults->n; i++)
		if (!is_replaced(own, defaults->at[i].row))
			put_line(md, d, &defaults->at[i]);
}

void part_digest(struct part *p, const struct draft *d, enum part_kind kind,
        const struct reader_section *s, const struct part_lines *defaults)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	p->name = s->name;
	p->has_digest = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	if (p->has_digest) {
		struct part_lines own = {.at = NULL};
		add_lines(&own, s, kinds[kind].section);
		qsort(own.at, own.n, sizeof own.at[0], by_row);
		put_section(md, d, &own, kind == PART_ROUTE ? defaults : NULL);
		part_lines_fini(&own);
		p->has_digest = EVP_DigestFinal_ex(md, p->digest, NULL) == 1;
	}
	EVP_MD_CTX_free(md);
}

/* Without memory for a digest a part is like no other. */
bool part_is_same(const struct part *a, const struct part *b)
{
	return a->has_digest && b->has_digest && memcmp(a->digest, b->digest, PART_DIGEST_LEN) == 0;
}

/* ---- all of a kind ---- */

void parts_init(struct parts *all, size_t n)
{
	all->at = mem_new(n * sizeof all->at[0]);
	all->n = 0;
}

void parts_add(struct parts *all, enum part_kind kind, const struct part *p, void *at)
{
	struct part *to = &all->at[all->n++];

	*to = *p;
	to->name = mem_strdup(p->name);
	to->at = at;
	kinds[kind].ref(at);
}

void parts_fini(struct parts *all, enum part_kind kind)
{
	for (size_t i = 0; i < all->n; i++) {
		mem_free(all->at[i].name);
		kinds[kind].unref(all->at[i].at);
	}
	mem_free(all->at);
	*all = (struct parts){.at = NULL};
}

static int by_name(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int name_of(const void *name, const void *part)
{
	return strcmp(name, ((const struct part *)part)->name);
}

void parts_sort(struct parts *all)
{
	qsort(all->at, all->n, sizeof all->at[0], by_name);
}

const struct part *parts_find(const struct parts *all, const char *name)
{
	return bsearch(name, all->at, all->n, sizeof all->at[0], name_of);
}

struct part_counts parts_compare(const struct parts *before, const struct parts *now)
{
	struct part_counts c = {.gone = (unsigned)before->n};

	for (size_t i = 0; i < now->n; i++) {
		const struct part *was = parts_find(before, now->at[i].name);
		c.kept += was && was->at == now->at[i].at;
		c.changed += was && was->at != now->at[i].at;
		c.fresh += !was;
		c.gone -= was != NULL;
	}
	return c;
}
