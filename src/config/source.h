/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The files a configuration consists of: the one named and those it includes.
 * Control thread. */

#include "config/draft.h"

#include <sys/types.h>

struct source { /* a file that was read */
	struct reader_file file;
	const struct source *includer;
	dev_t device;
	ino_t inode;
};

struct sources {
	struct source **at;
	size_t n;
};

/* Reads a file and what it includes into the draft's doc. False when the file itself could not be
 * read, or any for want of the system's means: what it holds may be all that is missing. */
bool source_load(struct sources *s, struct draft *d, const char *path);
/* The same for a text; an include in it is an error. */
void source_load_text(
        struct sources *s, struct draft *d, const char *name, const char *text, size_t len);
/* The draft's sections and problems point to these. */
void sources_fini(struct sources *s);
