/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/http_date.h"

#include <stdio.h>
#include <time.h>

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void split(int64_t seconds, struct tm *tm)
{
	static const int64_t last = INT64_C(253402300799); /* of the year 9999 */
	time_t t = seconds < 0 ? 0 : seconds > last ? last : seconds;

	gmtime_r(&t, tm);
}

size_t http_date_write(char out[HTTP_DATE_ROOM], int64_t seconds)
{
	struct tm tm;

	split(seconds, &tm);
	return (size_t)snprintf(out, HTTP_DATE_ROOM, "%s, %02d %s %04d %02d:%02d:%02d GMT",
	        days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	        tm.tm_min, tm.tm_sec);
}

size_t http_date_write_cookie(char out[HTTP_DATE_ROOM], int64_t seconds)
{
	struct tm tm;

	split(seconds, &tm);
	int year = tm.tm_year + 1900;
	return (size_t)snprintf(out, HTTP_DATE_ROOM, "%s, %02d-%s-%02d %02d:%02d:%02d GMT",
	        days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], year > 2037 ? year : year % 100,
	        tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* What is still to be read; `bad` once something was not there. */
struct reading {
	struct slice left;
	bool bad;
};

static void skip(struct reading *r, size_t len)
{
	r->left = slice_of(r->left.at + len, r->left.len - len);
}

static bool take(struct reading *r, char c)
{
	bool is = r->left.len > 0 && *r->left.at == (uint8_t)c;

	if (is)
		skip(r, 1);
	return is;
}

static void want(struct reading *r, char c)
{
	if (!take(r, c))
		r->bad = true;
}

/* A number of exactly so many digits. */
static int number(struct reading *r, size_t digits)
{
	int n = 0;

	if (r->left.len < digits)
		r->bad = true;
	for (size_t i = 0; i < digits && !r->bad; i++) {
		uint8_t c = r->left.at[i];
		if (c < '0' || c > '9')
			r->bad = true;
		else
			n = n * 10 + c - '0';
	}
	if (!r->bad)
		skip(r, digits);
	return n;
}

/* 0 to 11 */
static int month(struct reading *r)
{
	for (int i = 0; i < 12 && r->left.len >= 3; i++) {
		if (memcmp(r->left.at, months[i], 3) == 0) {
			skip(r, 3);
			return i;
		}
	}
	r->bad = true;
	return 0;
}

static void clock_time(struct reading *r, struct tm *tm)
{
	want(r, ' ');
	tm->tm_hour = number(r, 2);
	want(r, ':');
	tm->tm_min = number(r, 2);
	want(r, ':');
	tm->tm_sec = number(r, 2);
}

/* `Nov  6 08:49:37 1994`, as asctime() writes it. */
static void read_asctime(struct reading *r, struct tm *tm)
{
	tm->tm_mon = month(r);
	want(r, ' ');
	if (take(r, ' ') || (r->left.len > 1 && r->left.at[1] == ' '))
		tm->tm_mday = number(r, 1);
	else
		tm->tm_mday = number(r, 2);
	clock_time(r, tm);
	want(r, ' ');
	tm->tm_year = number(r, 4);
}

/* `06 Nov 1994 08:49:37`, or the older `06-Nov-94 08:49:37`. */
static void read_dated(struct reading *r, struct tm *tm)
{
	tm->tm_mday = number(r, 2);
	bool old = take(r, '-');
	if (!old)
		want(r, ' ');
	tm->tm_mon = month(r);
	want(r, old ? '-' : ' ');
	tm->tm_year = number(r, old ? 2 : 4);
	if (old)
		tm->tm_year += tm->tm_year < 70 ? 2000 : 1900;
	clock_time(r, tm);
}

static bool is_real(const struct tm *tm)
{
	static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = tm->tm_year;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int length = lengths[tm->tm_mon] + (tm->tm_mon == 1 && leap ? 1 : 0);

	return tm->tm_mday >= 1 && tm->tm_mday <= length && tm->tm_hour < 24 && tm->tm_min < 60 &&
	       tm->tm_sec < 60;
}

bool http_date_read(struct slice text, int64_t *seconds)
{
	struct reading r = {.left = text};
	struct tm tm = {0};

	/* The day's name is not looked at; a comma behind it tells the forms apart. */
	while (r.left.len > 0 && *r.left.at != ',' && *r.left.at != ' ')
		skip(&r, 1);
	bool dated = take(&r, ',');
	while (take(&r, ' '))
		;
	if (dated)
		read_dated(&r, &tm);
	else
		read_asctime(&r, &tm);
	if (r.bad || !is_real(&tm))
		return false;
	tm.tm_year -= 1900;
	*seconds = timegm(&tm);
	return true;
}
