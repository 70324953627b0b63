/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/problem.h"

#include "base/mem.h"
#include "net/sys.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void problems_init(struct problems *p)
{
	*p = (struct problems){.n = 0};
}

void problems_fini(struct problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		mem_free(p->at[i].text);
	p->n = 0;
}

static __attribute__((format(printf, 1, 0))) char *formatted(const char *format, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof text, format, args);
	return mem_strdup(text);
}

/* A warning never takes the place of an error: the last one kept gives way. */
static struct problem *make_room(struct problems *p, bool is_warning)
{
	if (p->n < PROBLEMS_MAX)
		return &p->at[p->n++];
	if (is_warning)
		return NULL;
	for (size_t i = p->n; i-- > 0;) {
		if (p->at[i].is_warning) {
			mem_free(p->at[i].text);
			return &p->at[i];
		}
	}
	return NULL;
}

static __attribute__((format(printf, 4, 0))) void add(struct problems *p,
        struct problem_place where, bool is_warning, const char *format, va_list args)
{
	unsigned number = (unsigned)(p->errors + p->warnings);
	if (is_warning)
		p->warnings++;
	else
		p->errors++;
	struct problem *at = make_room(p, is_warning);
	if (at)
		*at = (struct problem){where, number, is_warning, formatted(format, args)};
}

void problem_error(struct problems *p, struct problem_place where, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(p, where, false, format, args);
	va_end(args);
}

void problem_warning(struct problems *p, struct problem_place where, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(p, where, true, format, args);
	va_end(args);
}

void problem_cause(struct problems *p, int error)
{
	p->lacks += sys_is_lack(error);
}

/* That something is missing from the whole, such as a section, mostly follows from an error in
 * a line, and comes behind it. */
static bool is_last(const struct problem *p)
{
	return p->place.line == 0 && !p->is_warning;
}

static int by_place(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;
	if (is_last(x) != is_last(y))
		return is_last(y) ? -1 : 1;
	if (x->place.file_number != y->place.file_number)
		return x->place.file_number < y->place.file_number ? -1 : 1;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void print_one(FILE *out, const struct problem *p)
{
	fputs(p->place.file, out);
	if (p->place.line)
		fprintf(out, ":%u", p->place.line);
	fprintf(out, ": %s%s", p->is_warning ? "warning: " : "", p->text);
}

/* What was not kept: warnings alone, unless errors were too many by themselves. */
static void print_rest(FILE *out, const struct problems *p)
{
	fprintf(out, "and %zu more", p->errors + p->warnings - p->n);
}

char *problems_text(struct problems *p, struct problem_line **line, size_t *line_n)
{
	size_t found = p->errors + p->warnings, n = p->n + (found > p->n);
	char *text = NULL;
	size_t len = 0;
	*line_n = n;
	*line = NULL;
	if (n == 0)
		return NULL;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		abort();
	*line = mem_new(n * sizeof **line);
	qsort(p->at, p->n, sizeof p->at[0], by_place);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			fputc('\n', out);
		size_t at = (size_t)ftello(out);
		if (i < p->n)
			print_one(out, &p->at[i]);
		else
			print_rest(out, p);
		(*line)[i] = (struct problem_line){.at = at,
		        .len = (size_t)ftello(out) - at,
		        .is_warning = i < p->n ? p->at[i].is_warning : p->errors <= p->n};
	}
	if (fclose(out) != 0)
		abort();
	char *copy = mem_strdup(text);
	free(text);
	return copy;
}

const char *problem_quote(const char *text, char out[PROBLEM_QUOTE_MAX])
{
	size_t len = strlen(text);
	bool cut = len >= PROBLEM_QUOTE_MAX;
	size_t keep = cut ? PROBLEM_QUOTE_MAX - 4 : len;
	for (size_t i = 0; i < keep; i++) {
		unsigned char c = (unsigned char)text[i];
		out[i] = c >= 0x20 && c < 0x7f ? text[i] : '?';
	}
	memcpy(out + keep, cut ? "..." : "", cut ? 4 : 1);
	return out;
}
