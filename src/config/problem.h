/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What is wrong with a configuration: collected over a whole run, so that one
 * run of `moongate -t` shows all of it, then told in the order of the files, with the errors
 * of no line at the end. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

enum { PROBLEMS_MAX = 50 }; /* kept; more are only counted */

struct problem_place {
	const char *file;     /* name as given; outlives the problems' text */
	unsigned file_number; /* order of reading */
	unsigned line;        /* 0 = the file as a whole */
};

struct problem {
	struct problem_place place;
	unsigned number; /* order of finding, among those of one place */
	bool is_warning;
	char *text;
};

struct problems {
	struct problem at[PROBLEMS_MAX];
	size_t n;
	size_t errors, warnings; /* found, kept or not */
	size_t lacks; /* of the errors, those that problem_cause() told to be none of the text */
};

/* One message within the text of all. */
struct problem_line {
	size_t at, len;
	bool is_warning;
};

void problems_init(struct problems *p);
void problems_fini(struct problems *p);
void problem_error(struct problems *p, struct problem_place where, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void problem_warning(struct problems *p, struct problem_place where, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The error told last came of a call that failed with that errno: when the system had not what it
 * takes (sys_is_lack()), it may be none another time. */
void problem_cause(struct problems *p, int error);
/* All as lines, `file:line: text`, joined by \n and sorted, and where each of them stands. The
 * caller frees both; NULL when there are none. */
char *problems_text(struct problems *p, struct problem_line **line, size_t *line_n);

enum { PROBLEM_QUOTE_MAX = 128 };
/* Text of a file, fit for a message: cut when long, bytes outside ASCII's
 * printable ones as '?'. Returns out. */
const char *problem_quote(const char *text, char out[PROBLEM_QUOTE_MAX]);
