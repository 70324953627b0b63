/* SPDX-License-Identifier: BSD-2-Clause */
#include "book.h"

#include "../bench/util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct entry) == 96, "the layout that books.py knows");

static struct entry *entries;
static uint32_t used;

void book_open(const char *path)
{
	size_t size = BOOK_ENTRIES * sizeof(struct entry);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		die("%s: %s", path, strerror(errno));
	entries = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (entries == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

struct entry *book_add(uint64_t session, uint32_t *number)
{
	if (used == BOOK_ENTRIES)
		die("the book is full");
	*number = used;
	entries[used].session = session;
	return &entries[used++];
}
