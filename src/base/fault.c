/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/fault.h"

#ifdef MOONGATE_FAULTS

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 32, NAME_MAX_LEN = 31, ERRNO_MAX = 133 };

struct entry {
	char name[NAME_MAX_LEN + 1];
	unsigned long nth, count; /* nth = 0: at random, count in a thousand */
	unsigned long calls;
	int error;
};

struct plan {
	struct entry entry[ENTRIES_MAX];
	size_t n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct plan current;    /* under the lock */
static uint64_t dice;          /* the same for every run; under the lock */
static atomic_bool is_planned; /* so that a run without a plan takes no lock */

static bool parse_error(const char *text, int *out)
{
	if (strcmp(text, "SHORT") == 0) {
		*out = FAULT_SHORT;
		return true;
	}
	for (int e = 1; e <= ERRNO_MAX; e++) {
		const char *name = strerrorname_np(e);

		if (name && strcmp(name, text) == 0) {
			*out = e;
			return true;
		}
	}
	return false;
}

static bool parse_number(const char *text, unsigned long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return *end == '\0' && errno == 0;
}

static bool parse_entry(char *text, struct entry *e)
{
	char *field[4] = {NULL};
	char *rest = text;
	size_t n = 0;

	while (rest && n < 4)
		field[n++] = strsep(&rest, ":");
	*e = (struct entry){.count = 1};
	if (n < 3 || rest || field[0][0] == '\0' || strlen(field[0]) > NAME_MAX_LEN)
		return false;
	strcpy(e->name, field[0]);
	return parse_number(field[1], &e->nth) && parse_error(field[2], &e->error) &&
	       (n == 3 || parse_number(field[3], &e->count));
}

static bool parse_plan(const char *text, struct plan *plan)
{
	char *copy = strdup(text);
	bool good = copy != NULL;

	plan->n = 0;
	for (char *at = copy; good && at;) {
		char *item = strsep(&at, ",");

		good = plan->n < ENTRIES_MAX && parse_entry(item, &plan->entry[plan->n]);
		plan->n++;
	}
	free(copy);
	return good;
}

static bool set_plan(const char *text)
{
	static struct plan next; /* under the lock */
	bool good = true;

	pthread_mutex_lock(&lock);
	next.n = 0;
	if (text && *text)
		good = parse_plan(text, &next);
	if (good) {
		current = next;
		dice = 0x9e3779b97f4a7c15;
		atomic_store(&is_planned, current.n > 0);
	}
	pthread_mutex_unlock(&lock);
	return good;
}

static void read_environment(void)
{
	const char *text = getenv("MOONGATE_FAULTS");

	if (!set_plan(text)) {
		fprintf(stderr, "moongate: MOONGATE_FAULTS does not parse: %s\n", text);
		abort();
	}
}

bool fault_plan(const char *plan)
{
	pthread_once(&once, read_environment);
	return set_plan(plan);
}

static unsigned roll_of_thousand(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)((dice >> 32) % 1000);
}

static bool strikes(struct entry *e)
{
	e->calls++;
	if (e->nth == 0)
		return roll_of_thousand() < e->count;
	return e->calls >= e->nth && e->calls - e->nth < e->count;
}

int fault_next(const char *name)
{
	int error = 0;

	pthread_once(&once, read_environment);
	if (!atomic_load_explicit(&is_planned, memory_order_relaxed))
		return 0;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < current.n; i++) {
		struct entry *e = &current.entry[i];

		if (strcmp(e->name, name) == 0 && strikes(e) && error == 0)
			error = e->error;
	}
	pthread_mutex_unlock(&lock);
	return error;
}

#endif
