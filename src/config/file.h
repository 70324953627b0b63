/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Files that keys name: certificates, secrets. Control thread. */

#include "base/slice.h"

#include <stdbool.h>
#include <sys/stat.h>

struct file {
	uint8_t *at; /* owned; a NUL follows the bytes */
	size_t len;
	mode_t mode;
	int error; /* errno of the call that failed, when it could not be read for that; else 0 */
};

/* A regular file of at most `max` bytes. Returns NULL; or why not, and but for `error`
 * nothing is left. */
const char *file_read(struct file *f, const char *path, size_t max);
/* Wipes the bytes: they may be secret. */
void file_fini(struct file *f);
/* What everybody on this host may do with it: "read" or "write"; NULL = neither. */
const char *file_is_open_to_all(const struct file *f);
