/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/file.h"

#include "base/mem.h"
#include "net/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char *fail(struct file *f)
{
	f->error = errno;
	return strerror(f->error);
}

static const char *read_open(struct file *f, int fd, size_t max)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return fail(f);
	if (!S_ISREG(info.st_mode))
		return "it is no regular file";
	if ((uint64_t)info.st_size > max)
		return "it is too long";
	f->mode = info.st_mode;
	f->at = mem_new((size_t)info.st_size + 2); /* one byte more shows that it grows */
	while (f->len <= (size_t)info.st_size) {
		ssize_t n = sys_read(fd, f->at + f->len, (size_t)info.st_size + 1 - f->len);
		if (n == 0)
			return NULL;
		if (n < 0)
			return fail(f);
		f->len += (size_t)n;
	}
	return "it is being written";
}

/* O_NONBLOCK: opening a pipe must not wait for a writer. */
const char *file_read(struct file *f, const char *path, size_t max)
{
	*f = (struct file){.at = NULL};
	int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const char *wrong = fd < 0 ? fail(f) : read_open(f, fd, max);
	if (fd >= 0)
		sys_close(fd);
	if (!wrong && f->len == 0)
		wrong = "it is empty";
	if (wrong) {
		int error = f->error;
		file_fini(f);
		f->error = error;
	}
	return wrong;
}

void file_fini(struct file *f)
{
	if (f->at)
		explicit_bzero(f->at, f->len);
	mem_free(f->at);
	*f = (struct file){.at = NULL};
}

const char *file_is_open_to_all(const struct file *f)
{
	return f->mode & S_IWOTH ? "write" : f->mode & S_IROTH ? "read" : NULL;
}
