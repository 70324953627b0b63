/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/http_date.h"

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

static char *put_text(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static char *put_two(char *to, int n)
{
	to[0] = (char)('0' + n / 10);
	to[1] = (char)('0' + n % 10);
	return to + 2;
}

static char *put_clock(char *to, const struct tm *tm)
{
	to = put_two(put_text(to, " "), tm->tm_hour);
	to = put_two(put_text(to, ":"), tm->tm_min);
	to = put_two(put_text(to, ":"), tm->tm_sec);
	return put_text(to, " GMT");
}

/* `Thu, 18 Nov ` or with other marks. */
static char *put_day(char *to, const struct tm *tm, const char *mark)
{
	to = put_text(put_text(to, days[tm->tm_wday]), ", ");
	to = put_text(put_two(to, tm->tm_mday), mark);
	return put_text(put_text(to, months[tm->tm_mon]), mark);
}

size_t http_date_write(char out[HTTP_DATE_ROOM], int64_t seconds)
{
	struct tm tm;

	split(seconds, &tm);
	int year = tm.tm_year + 1900;
	char *to = put_two(put_two(put_day(out, &tm, " "), year / 100), year % 100);
	return (size_t)(put_clock(to, &tm) - out);
}

size_t http_date_write_cookie(char out[HTTP_DATE_ROOM], int64_t seconds)
{
	struct tm tm;

	split(seconds, &tm);
	int year = tm.tm_year + 1900;
	char *to = put_day(out, &tm, "-");
	if (year > 2037)
		to = put_two(to, year / 100);
	return (size_t)(put_clock(put_two(to, year % 100), &tm) - out);
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
