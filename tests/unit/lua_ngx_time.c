/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_time.h"

#include "lua_rows.h"

#include <stdlib.h>
#include <time.h>

/* What ngx_lua 0.10.23 gives for each; but a month's day 00 and months of which only the first
 * letter is right are no dates here. */
static const struct lua_row rows[] = {
        {"ngx.cookie_time(0), ngx.cookie_time(1290079655), ngx.cookie_time(2147483648), "
         "ngx.cookie_time(4294967295)",
                "'Thu, 01-Jan-70 00:00:00 GMT', 'Thu, 18-Nov-10 11:27:35 GMT', 'Tue, 19-Jan-2038 "
                "03:14:08 GMT', 'Sun, 07-Feb-2106 06:28:15 GMT'"},
        {"ngx.cookie_time(2145916799), ngx.cookie_time(2145916800)",
                "'Thu, 31-Dec-37 23:59:59 GMT', 'Fri, 01-Jan-2038 00:00:00 GMT'"},
        {"ngx.http_time(0), ngx.http_time(1290079655), ngx.http_time(253402300799), "
         "ngx.http_time(1290079655.9)",
                "'Thu, 01 Jan 1970 00:00:00 GMT', 'Thu, 18 Nov 2010 11:27:35 GMT', 'Fri, 31 Dec "
                "9999 23:59:59 GMT', 'Thu, 18 Nov 2010 11:27:35 GMT'"},
        {"ngx.http_time(-1), ngx.cookie_time(-1)",
                "'Thu, 01 Jan 1970 00:00:00 GMT', 'Thu, 01-Jan-70 00:00:00 GMT'"},
        {"ngx.http_time(-86400)", "'Thu, 01 Jan 1970 00:00:00 GMT'"},
        {"ngx.http_time(253402300800)", "'Fri, 31 Dec 9999 23:59:59 GMT'"},
        {"ngx.http_time(1e15)", "'Fri, 31 Dec 9999 23:59:59 GMT'"},
        {"ngx.cookie_time(1e15)", "'Fri, 31-Dec-9999 23:59:59 GMT'"},
        {"ngx.http_time(0/0)", "'Thu, 01 Jan 1970 00:00:00 GMT'"},
        {"ngx.http_time(1/0)", "'Thu, 01 Jan 1970 00:00:00 GMT'"},
        {"ngx.http_time(2^53)", "'Fri, 31 Dec 9999 23:59:59 GMT'"},
        {"ngx.http_time(\"1\")", "! t:1: number argument only"},
        {"ngx.http_time()", "! t:1: number argument only"},
        {"ngx.cookie_time(nil)", "! t:1: number argument only"},
        {"ngx.cookie_time(\"5\")", "! t:1: number argument only"},
        {"ngx.parse_http_time(\"Thu, 18 Nov 2010 11:27:35 GMT\"), ngx.parse_http_time(\"Thursday, "
         "18-Nov-10 11:27:35 GMT\"), ngx.parse_http_time(\"Thu Nov 18 11:27:35 2010\"), "
         "ngx.parse_http_time(\"Thu, 18-Nov-2010 11:27:35 GMT\")",
                "1290079655, 1290079655, 1290079655, nil"},
        {"ngx.parse_http_time(\"Sunday, 06-Nov-94 08:49:37 GMT\"), ngx.parse_http_time(\"Sun Nov  "
         "6 08:49:37 1994\"), ngx.parse_http_time(\"Sun, 06 Nov 1994 08:49:37 GMT\")",
                "784111777, 784111777, 784111777"},
        {"ngx.parse_http_time(\"Thu, 01 Jan 1970 00:00:00 GMT\"), ngx.parse_http_time(\"Thu, 29 "
         "Feb 2012 00:00:00 GMT\"), ngx.parse_http_time(\"Thu, 29 Feb 2011 00:00:00 GMT\")",
                "0, 1330473600, nil"},
        {"ngx.parse_http_time(\"Thu, 31 Apr 2011 00:00:00 GMT\"), ngx.parse_http_time(\"Thu, 00 "
         "Apr 2011 00:00:00 GMT\"), ngx.parse_http_time(\"Thu, 32 Jan 2011 00:00:00 GMT\")",
                "nil, nil, nil"},
        {"ngx.parse_http_time(\"Thu, 01 Jan 1969 00:00:00 GMT\"), ngx.parse_http_time(\"Fri, 31 "
         "Dec 9999 23:59:59 GMT\"), ngx.parse_http_time(\"Thu, 01 Jan 1900 00:00:00 GMT\")",
                "-31536000, 253402300799, -2208988800"},
        {"ngx.parse_http_time(\"x, 18 Nov 2010 11:27:35\"), ngx.parse_http_time(\", 18 Nov 2010 "
         "11:27:35 GMT\"), ngx.parse_http_time(\"Thu, 18 Nov 2010 11:27:35 GMTxyz\")",
                "1290079655, 1290079655, 1290079655"},
        {"ngx.parse_http_time(\"Thu, 18 Nov 2010 24:27:35 GMT\"), ngx.parse_http_time(\"Thu, 18 "
         "Nov 2010 11:60:35 GMT\"), ngx.parse_http_time(\"Thu, 18 Nov 2010 11:27:60 GMT\"), "
         "ngx.parse_http_time(\"Thu, 18 Nov 2010 11:27:59 PST\")",
                "nil, nil, nil, 1290079679"},
        {"ngx.parse_http_time(\"Thu, 18 nov 2010 11:27:35 GMT\"), ngx.parse_http_time(\"Thu, 18 "
         "Nox 2010 11:27:35 GMT\"), ngx.parse_http_time(\"Thu,18 Nov 2010 11:27:35 GMT\"), "
         "ngx.parse_http_time(\"Thu,   18 Nov 2010 11:27:35 GMT\")",
                "nil, nil, 1290079655, 1290079655"},
        {"ngx.parse_http_time(\"Thu, 18-Nov-69 11:27:35 GMT\"), ngx.parse_http_time(\"Thu, "
         "18-Nov-70 11:27:35 GMT\"), ngx.parse_http_time(\"Thu, 18-Nov-00 11:27:35 GMT\")",
                "3151999655, 27775655, 974546855"},
        {"ngx.parse_http_time(\"Thu, 8 Nov 2010 11:27:35 GMT\"), ngx.parse_http_time(\"Thu, 18 Nov "
         "201x 11:27:35 GMT\"), ngx.parse_http_time(\"Thu, 18 Nov 2010 11.27:35 GMT\"), "
         "ngx.parse_http_time(\"Thu, 18 Nov 2010 1127:35 GMT\")",
                "nil, nil, nil, nil"},
        {"ngx.parse_http_time(\"Thu, 18 Nov 2010 11:27:35\"), ngx.parse_http_time(\"Thu, 18 Nov "
         "2010 11:27:3\"), ngx.parse_http_time(\"Thu, 18/Nov/2010 11:27:35 GMT\"), "
         "ngx.parse_http_time(\"Thu Nov 18 11:27:35 20100\")",
                "1290079655, nil, nil, 1290079655"},
        {"ngx.parse_http_time(\"\"), ngx.parse_http_time(\"x\"), ngx.parse_http_time(\",\"), "
         "ngx.parse_http_time(\"now\")",
                "nil, nil, nil, nil"},
        {"ngx.parse_http_time(nil)", "! t:1: string argument only"},
        {"ngx.parse_http_time(1)", "! t:1: string argument only"},
        {"#ngx.today(), ngx.today():match(\"^%d+%-%d+%-%d+$\") ~= nil", "10, true"},
        {"#ngx.localtime(), #ngx.utctime(), ngx.utctime():match(\"^%d%d%d%d%-%d%d%-%d%d "
         "%d%d:%d%d:%d%d$\") ~= nil",
                "19, 19, true"},
        {"ngx.update_time()", "-"},
        {"ngx.time() == math.floor(ngx.now()), ngx.now() > 1e9", "true, true"},
        {"type(ngx.now(1)), type(ngx.time(1)), ngx.update_time(1)", "'number', 'number'"},
};

START_TEST(results_and_errors_are_those_of_ngx_lua)
{
	lua_State *L = lua_rows_new();

	ngx_time_open(L);
	ck_assert_int_eq(lua_gettop(L), 1);
	lua_rows_run(L, rows, sizeof(rows) / sizeof(rows[0]));
	lua_close(L);
}
END_TEST

/* A worker's clock: what is read again on demand. */
struct turn {
	uint64_t started_ms, real_ms;
};

static uint64_t turn_ms(void *owner, bool renew)
{
	struct turn *t = owner;

	if (renew)
		t->started_ms = t->real_ms;
	return t->started_ms;
}

START_TEST(the_clock_stands_still_until_it_is_renewed)
{
	static const struct lua_row turn_rows[] = {
	        {"ngx.now(), ngx.time(), ngx.utctime()",
	                "1290079655.123, 1290079655, '2010-11-18 11:27:35'"},
	        {"ngx.localtime(), ngx.today()", "'2010-11-18 20:27:35', '2010-11-18'"},
	        {"ngx.update_time() return S(ngx.now(), ngx.utctime())",
	                "1290143045.999, '2010-11-19 05:04:05'"},
	        {"ngx.today()", "'2010-11-19'"},
	};
	struct turn t = {.started_ms = 1290079655123, .real_ms = 1290143045999};
	lua_State *L = lua_rows_new();

	ck_assert_int_eq(setenv("TZ", "JST-9", 1), 0);
	tzset();
	ngx_time_open(L);
	ngx_time_set_clock(L, turn_ms, &t);
	ck_assert_uint_eq(ngx_time_ms(L), t.started_ms);
	lua_rows_run(L, turn_rows, sizeof(turn_rows) / sizeof(turn_rows[0]));
	ngx_time_set_clock(L, NULL, NULL);
	ck_assert_uint_gt(ngx_time_ms(L), t.real_ms);
	lua_close(L);
	unsetenv("TZ");
}
END_TEST

/* Every beginning and every exchanged byte of a good date, in a buffer of its size. */
START_TEST(no_text_is_read_past_its_end)
{
	static const struct lua_row trips[] = {
	        {"local good = {'Thu, 18 Nov 2010 11:27:35 GMT', 'Thu, 18-Nov-10 11:27:35 GMT', "
	         "'Thu Nov 18 11:27:35 2010', 'Thu Nov  8 11:27:35 2010'} local n = 0 "
	         "for _, s in ipairs(good) do assert(ngx.parse_http_time(s)) for i = 0, #s do "
	         "for c = 0, 255 do local t = ngx.parse_http_time(s:sub(1, i) .. string.char(c) .. "
	         "s:sub(i + 2)) "
	         "n = n + (t and 0 or 1) end ngx.parse_http_time(s:sub(1, i)) end end return S(n > "
	         "1000)",
	                "true"},
	        {"local n = 0 for t = 0, 4e9, 86399 do if ngx.parse_http_time(ngx.http_time(t)) ~= "
	         "t then "
	         "n = n + 1 end end return S(n)",
	                "0"},
	};
	lua_State *L = lua_rows_new();

	ngx_time_open(L);
	lua_rows_run(L, trips, 2);
	lua_close(L);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_ngx_time");
	TCase *tc = tcase_create("time");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, results_and_errors_are_those_of_ngx_lua);
	tcase_add_test(tc, the_clock_stands_still_until_it_is_renewed);
	tcase_add_test(tc, no_text_is_read_past_its_end);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
