/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60 };

uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec > 0 ? (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 : 0;
}

static void digits(char *out, unsigned n, uint64_t value)
{
	while (n-- > 0) {
		out[n] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Writes the date of a day counted from 1970-01-01, YYYY-MM-DD. Years are taken to
 * begin in March, so that the leap day is the last of its year; an era is the
 * 400 years after which the calendar repeats. */
static void put_date(char *out, uint64_t days_since_1970)
{
	uint64_t day = days_since_1970 + 719468; /* from 0000-03-01 */
	uint64_t era = day / 146097;
	uint64_t of_era = day % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153; /* 0 = March */
	bool next_year = month >= 10;

	digits(out, 4, era * 400 + year + next_year);
	digits(out + 5, 2, next_year ? month - 9 : month + 3);
	digits(out + 8, 2, of_year - (153 * month + 2) / 5 + 1);
}

static void put_second(char out[25], uint64_t t)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	uint64_t of_day = t % DAY_S;

	for (size_t i = 0; i < sizeof(form); i++)
		out[i] = form[i];
	put_date(out, t / DAY_S);
	digits(out + 11, 2, of_day / 3600);
	digits(out + 14, 2, of_day / 60 % 60);
	digits(out + 17, 2, of_day % 60);
}

/* The text of a second serves all that ask for a time in it. */
void clock_iso_of(char out[25], int64_t s, uint32_t ms)
{
	static _Thread_local char text[25];
	static _Thread_local int64_t second = -1;
	int64_t t = s > 0 ? s : 0;

	if (t != second) {
		put_second(text, (uint64_t)t);
		second = t;
	}
	memcpy(out, text, sizeof(text));
	digits(out + 20, 3, ms);
}

void clock_iso(char out[25])
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	clock_iso_of(out, t.tv_sec, (uint32_t)(t.tv_nsec / 1000000));
}
