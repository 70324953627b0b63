/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/rewrite.h"

#include "http/uri.h"

static struct slice without_slash(struct slice s)
{
	return s.len > 0 && s.at[s.len - 1] == '/' ? slice_of(s.at, s.len - 1) : s;
}

/* What of the path lies behind `from`: empty, or beginning with '/'. */
static bool lies_under(struct slice path, const char *from, struct slice *rest)
{
	struct slice prefix = without_slash(slice_str(from));
	*rest = SLICE("");
	if (!slice_starts_with(path, prefix))
		return false;
	*rest = slice_of(path.at + prefix.len, path.len - prefix.len);
	return rest->len == 0 || rest->at[0] == '/';
}

static bool put_replaced(struct http_writer *w, struct slice path, const char *from, const char *to)
{
	struct slice rest;
	if (!from || !lies_under(path, from, &rest))
		return false;
	http_put(w, rest.len > 0 ? without_slash(slice_str(to)) : slice_str(to));
	http_put(w, rest);
	return true;
}

void rewrite_path(struct http_writer *w, struct slice path, const char *from, const char *to)
{
	if (!put_replaced(w, path, from, to))
		http_put(w, path);
}

struct slice rewrite_server_host(struct slice name)
{
	return slice_starts_with(name, SLICE("unix:")) ? SLICE("localhost") : name;
}

static void put_query(struct http_writer *w, const struct http_head *head)
{
	/* An empty query is not the same as none. */
	bool has_mark =
	        head->target.len > 0 && memchr(head->target.at, '?', head->target.len) != NULL;
	if (has_mark)
		http_put(w, SLICE("?"));
	http_put(w, head->query);
}

void rewrite_target(
        struct http_writer *w, const struct http_head *head, const char *from, const char *to)
{
	uint8_t normal[HTTP_TARGET_MAX];
	ssize_t n = from ? uri_normalise_path(head->path, normal) : -1;

	if (n <= 0 || !put_replaced(w, slice_of(normal, (size_t)n), from, to))
		http_put(w, head->path);
	put_query(w, head);
}
