/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_string.h"

#include "lua_rows.h"

/* The bytes from 0x80 on, escaped. */
#define HIGH                                                                       \
	"%80%81%82%83%84%85%86%87%88%89%8A%8B%8C%8D%8E%8F%90%91%92%93%94%95%96%97" \
	"%98%99%9A%9B%9C%9D%9E%9F%A0%A1%A2%A3%A4%A5%A6%A7%A8%A9%AA%AB%AC%AD%AE%AF" \
	"%B0%B1%B2%B3%B4%B5%B6%B7%B8%B9%BA%BB%BC%BD%BE%BF%C0%C1%C2%C3%C4%C5%C6%C7" \
	"%C8%C9%CA%CB%CC%CD%CE%CF%D0%D1%D2%D3%D4%D5%D6%D7%D8%D9%DA%DB%DC%DD%DE%DF" \
	"%E0%E1%E2%E3%E4%E5%E6%E7%E8%E9%EA%EB%EC%ED%EE%EF%F0%F1%F2%F3%F4%F5%F6%F7" \
	"%F8%F9%FA%FB%FC%FD%FE%FF"

/* What ngx_lua 0.10.23 gives for each; `every` is a string of all bytes. */
static const struct lua_row rows[] = {
        {"ngx.encode_base64(\"\")", "''"},
        {"ngx.encode_base64(\"a\"), ngx.encode_base64(\"ab\"), ngx.encode_base64(\"abc\"), "
         "ngx.encode_base64(\"abcd\")",
                "'YQ==', 'YWI=', 'YWJj', 'YWJjZA=='"},
        {"ngx.encode_base64(\"a\", true), ngx.encode_base64(\"ab\", true), "
         "ngx.encode_base64(\"abc\", true)",
                "'YQ', 'YWI', 'YWJj'"},
        {"ngx.encode_base64(\"\\0\\255\\254\\62\\63\")", "'AP/+Pj8='"},
        {"ngx.encode_base64(nil), ngx.encode_base64(false), ngx.encode_base64(true), "
         "ngx.encode_base64(12.5)",
                "'', '', 'dHJ1ZQ==', 'MTIuNQ=='"},
        {"ngx.encode_base64()", "''"},
        {"ngx.encode_base64(\"a\", false), ngx.encode_base64(\"a\", nil)", "'YQ==', 'YQ=='"},
        {"ngx.encode_base64(\"a\", 1)", "! t:1: bad no_padding: boolean expected, got number"},
        {"ngx.encode_base64(\"a\", \"x\")", "! t:1: bad no_padding: boolean expected, got string"},
        {"ngx.encode_base64(setmetatable({}, {__tostring = function() return \"hey\" end}))",
                "'aGV5'"},
        {"ngx.decode_base64(\"YQ==\"), ngx.decode_base64(\"YWI=\"), ngx.decode_base64(\"YWJj\"), "
         "ngx.decode_base64(\"YWJjZA\")",
                "'a', 'ab', 'abc', 'abcd'"},
        {"ngx.decode_base64(\"\"), ngx.decode_base64(\"=\"), ngx.decode_base64(\"==\")",
                "'', '', ''"},
        {"ngx.decode_base64(\"Y\"), ngx.decode_base64(\"YWJjZ\")", "nil, nil"},
        {"ngx.decode_base64(\"YW\\nJj\"), ngx.decode_base64(\"YW Jj\"), "
         "ngx.decode_base64(\"Y!==\")",
                "nil, nil, nil"},
        {"ngx.decode_base64(\"YQ==YQ==\"), ngx.decode_base64(\"YWJj=\")", "'a', 'abc'"},
        {"ngx.decode_base64(\"-_-_\"), ngx.decode_base64(\"+/+/\"), ngx.decode_base64(\"YR==\")",
                "nil, '<fb><ff><bf>', 'a'"},
        {"ngx.decode_base64(nil)", "! t:1: string argument only"},
        {"ngx.decode_base64(12)", "! t:1: string argument only"},
        {"ngx.decode_base64({})", "! t:1: string argument only"},
        {"require(\"ngx.base64\").encode_base64url(\"\\251\\255\\191ab\")", "'-_-_YWI'"},
        {"require(\"ngx.base64\").encode_base64url(\"\")", "''"},
        {"require(\"ngx.base64\").encode_base64url(12)", "nil, 'must provide a string'"},
        {"require(\"ngx.base64\").encode_base64url()", "nil, 'must provide a string'"},
        {"require(\"ngx.base64\").decode_base64url(\"-_-_YWI\"), "
         "require(\"ngx.base64\").decode_base64url(\"+/+/\")",
                "'<fb><ff><bf>ab', nil, 'invalid input'"},
        {"require(\"ngx.base64\").decode_base64url(\"Y\"), "
         "require(\"ngx.base64\").decode_base64url(\"\")",
                "nil, ''"},
        {"require(\"ngx.base64\").decode_base64url(\"YQ==\"), "
         "require(\"ngx.base64\").decode_base64url(\"YQ=\")",
                "'a', 'a'"},
        {"require(\"ngx.base64\").decode_base64url(nil)", "nil, 'must provide a string'"},
        {"require(\"ngx.base64\").version", "'0.1.25'"},
        {"ngx.md5(\"\"), ngx.md5(\"hello\"), ngx.md5(nil), ngx.md5(12), ngx.md5(false)",
                "'d41d8cd98f00b204e9800998ecf8427e', '5d41402abc4b2a76b9719d911017c592', "
                "'d41d8cd98f00b204e9800998ecf8427e', 'c20ad4d76fe97759aa27a0c99bff6710', "
                "'d41d8cd98f00b204e9800998ecf8427e'"},
        {"ngx.md5_bin(\"hello\")", "']A@*<bc>K*v<b9>q<9d><91><10><17><c5><92>'"},
        {"ngx.md5_bin()", "'<d4><1d><8c><d9><8f><00><b2><04><e9><80><09><98><ec><f8>B~'"},
        {"ngx.sha1_bin(\"hello\")",
                "'<aa><f4><c6><1d><dc><c5><e8><a2><da><be><de><0f>;H,<d9><ae><a9>CM'"},
        {"ngx.sha1_bin(nil), ngx.sha1_bin(true)",
                "'<da>9<a3><ee>^kK<0d>2U<bf><ef><95>`<18><90><af><d8><07><09>', "
                "'_<fe>S;<83><0f><08><a0>2cH<a9><16><0a><fa><fc><8a><da>D<db>'"},
        {"ngx.hmac_sha1(\"key\", \"message\")",
                "' <88><df>t<d5><f2><14>kH<14>l<af>Ie7~<9d><0b><e3><a4>'"},
        {"ngx.hmac_sha1(\"\", \"\")", "'<fb><db><1d><1b><18><aa>l<08>2K}d<b7><1f><b7>cpi<0e><1d>'"},
        {"ngx.hmac_sha1((\"k\"):rep(100), (\"m\"):rep(1000))",
                "'I;<f5><l<11>\"<f0><f9>G7<96>jU)<98><f1><c4><bb><ea>'"},
        {"ngx.hmac_sha1(1, 2)", "'<d0>u<ca><12><b8>%<9a><0b>'C<8f><07>S<14><a3><bb><88><a9>'<b5>'"},
        {"ngx.hmac_sha1(\"key\")", "! t:1: expecting 2 arguments, but got 1"},
        {"ngx.hmac_sha1(\"key\", nil)",
                "! t:1: bad argument #2 to 'hmac_sha1' (string expected, got nil)"},
        {"ngx.hmac_sha1()", "! t:1: expecting 2 arguments, but got 0"},
        {"ngx.hmac_sha1(\"a\", \"b\", \"c\")", "! t:1: expecting 2 arguments, but got 3"},
        {"ngx.hmac_sha1({}, \"b\")",
                "! t:1: bad argument #1 to 'hmac_sha1' (string expected, got table)"},
        {"ngx.crc32_short(\"hello, world\"), ngx.crc32_long(\"hello, world\"), "
         "ngx.crc32_short(\"\"), ngx.crc32_long(nil)",
                "4289425978, 4289425978, 0, 0"},
        {"ngx.crc32_long((\"x\"):rep(1000)), ngx.crc32_short((\"\\255\"):rep(33)), "
         "ngx.crc32_long(false), ngx.crc32_long(123)",
                "994167270, 1747825955, 0, 2286445522"},
        {"ngx.crc32_long({}) > 0", "true"},
        {"ngx.escape_uri(every)",
                "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%"
                "1A%1B%1C%1D%1E%1F%20!%22%23%24%25%26'()*%2B%2C-.%2F0123456789%3A%3B%3C%3D%3E%3F%"
                "40ABCDEFGHIJKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%"
                "7F" HIGH "'"},
        {"ngx.escape_uri(every, 0)", "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%"
                                     "13%14%15%16%17%18%19%1A%1B%1C%1D%1E%1F%20!\"%23$%25&'()*+,-./"
                                     "0123456789:;<=>%3F@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                     "abcdefghijklmnopqrstuvwxyz{|}~%7F" HIGH "'"},
        {"ngx.escape_uri(every, 1)",
                "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%"
                "1A%1B%1C%1D%1E%1F%20!\"%23$%25&'()*%2B,-./"
                "0123456789:;<=>%3F@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
                "%7F" HIGH "'"},
        {"ngx.escape_uri(every, 2)",
                "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%"
                "1A%1B%1C%1D%1E%1F%20!%22%23%24%25%26'()*%2B%2C-.%2F0123456789%3A%3B%3C%3D%3E%3F%"
                "40ABCDEFGHIJKLMNOPQRSTUVWXYZ%5B%5C%5D%5E_%60abcdefghijklmnopqrstuvwxyz%7B%7C%7D~%"
                "7F" HIGH "'"},
        {"ngx.escape_uri(every, 3)",
                "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%"
                "1A%1B%1C%1D%1E%1F%20!%22%23$%25&%27()*+,-./"
                "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~%"
                "7F" HIGH "'"},
        {"ngx.escape_uri(every, 4)", "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%"
                                     "13%14%15%16%17%18%19%1A%1B%1C%1D%1E%1F%20!%22#$%&%27()*+,-./"
                                     "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                                     "abcdefghijklmnopqrstuvwxyz{|}~%7F" HIGH "'"},
        {"ngx.escape_uri(every, 5)",
                "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%"
                "1A%1B%1C%1D%1E%1F%20!\"#$%25&'()*+,-./"
                "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~<"
                "7f><80><81><82><83><84><85><86><87><88><89><8a><8b><8c><8d><8e><8f><90><91><92><"
                "93><94><95><96><97><98><99><9a><9b><9c><9d><9e><9f><a0><a1><a2><a3><a4><a5><a6><"
                "a7><a8><a9><aa><ab><ac><ad><ae><af><b0><b1><b2><b3><b4><b5><b6><b7><b8><b9><ba><"
                "bb><bc><bd><be><bf><c0><c1><c2><c3><c4><c5><c6><c7><c8><c9><ca><cb><cc><cd><ce><"
                "cf><d0><d1><d2><d3><d4><d5><d6><d7><d8><d9><da><db><dc><dd><de><df><e0><e1><e2><"
                "e3><e4><e5><e6><e7><e8><e9><ea><eb><ec><ed><ee><ef><f0><f1><f2><f3><f4><f5><f6><"
                "f7><f8><f9><fa><fb><fc><fd><fe><ff>'"},
        {"ngx.escape_uri(every, 6)",
                "'%00%01%02%03%04%05%06%07%08%09%0A%0B%0C%0D%0E%0F%10%11%12%13%14%15%16%17%18%19%"
                "1A%1B%1C%1D%1E%1F%20!\"#$%25&'()*+,-./"
                "0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~<"
                "7f><80><81><82><83><84><85><86><87><88><89><8a><8b><8c><8d><8e><8f><90><91><92><"
                "93><94><95><96><97><98><99><9a><9b><9c><9d><9e><9f><a0><a1><a2><a3><a4><a5><a6><"
                "a7><a8><a9><aa><ab><ac><ad><ae><af><b0><b1><b2><b3><b4><b5><b6><b7><b8><b9><ba><"
                "bb><bc><bd><be><bf><c0><c1><c2><c3><c4><c5><c6><c7><c8><c9><ca><cb><cc><cd><ce><"
                "cf><d0><d1><d2><d3><d4><d5><d6><d7><d8><d9><da><db><dc><dd><de><df><e0><e1><e2><"
                "e3><e4><e5><e6><e7><e8><e9><ea><eb><ec><ed><ee><ef><f0><f1><f2><f3><f4><f5><f6><"
                "f7><f8><f9><fa><fb><fc><fd><fe><ff>'"},
        {"ngx.escape_uri(nil), ngx.escape_uri(false), ngx.escape_uri(true), ngx.escape_uri(1.5)",
                "'', '', 'true', '1.5'"},
        {"ngx.escape_uri(\"a b\", 7)", "! \"type\" 7 out of range"},
        {"ngx.escape_uri(\"a b\", -1)", "! \"type\" -1 out of range"},
        {"ngx.escape_uri(\"a b\", \"x\")", "! \"type\" is not a number"},
        {"ngx.escape_uri(\"a b\", \"2\")", "! \"type\" is not a number"},
        {"ngx.escape_uri(\"a b\", 1.5)", "'a%20b'"},
        {"ngx.unescape_uri(\"a%20b+c%41\"), ngx.unescape_uri(\"%\"), ngx.unescape_uri(\"%4\"), "
         "ngx.unescape_uri(\"%zz\"), ngx.unescape_uri(\"%4z\"), ngx.unescape_uri(\"a%%20\")",
                "'a b cA', '%', '%4', '%zz', '%4z', 'a% '"},
        {"ngx.unescape_uri(\"%00%ff%Ff\"), ngx.unescape_uri(\"?a%3fb\"), "
         "ngx.unescape_uri(\"%e4%bd%a0\"), ngx.unescape_uri(\"%u1234%4%41\")",
                "'<00><ff><ff>', '?a?b', '<e4><bd><a0>', '%u1234%4A'"},
        {"ngx.unescape_uri(nil), ngx.unescape_uri(true), ngx.unescape_uri(10)", "'', 'true', '10'"},
        {"ngx.encode_args({})", "''"},
        {"ngx.encode_args({a = \"b c\"})", "'a=b%20c'"},
        {"ngx.encode_args({a = true}), ngx.encode_args({a = false}), ngx.encode_args({a = 1.5})",
                "'a', '', 'a=1.5'"},
        {"ngx.encode_args({a = {\"x\", true, 3, \"y&=\"}})", "'a=x&a&a=3&a=y%26%3D'"},
        {"ngx.encode_args({a = {}}), ngx.encode_args({a = \"\"})", "'', 'a='"},
        {"ngx.encode_args({a = {\"x\", false, \"y\"}})", "'a=x&a=y'"},
        {"ngx.encode_args({a = {true}})", "'a'"},
        {"ngx.encode_args({[\"a b\"] = \"c\"}), ngx.encode_args({[\"a=&\"] = true})",
                "'a%20b=c', 'a%3D%26'"},
        {"ngx.encode_args({\"x\"})",
                "! t:1: attempt to use a non-string key in the \"args\" option table"},
        {"ngx.encode_args({[1] = \"x\"})",
                "! t:1: attempt to use a non-string key in the \"args\" option table"},
        {"ngx.encode_args({[1.5] = \"x\"})",
                "! t:1: attempt to use a non-string key in the \"args\" option table"},
        {"ngx.encode_args({[true] = \"x\"})",
                "! t:1: attempt to use a non-string key in the \"args\" option table"},
        {"ngx.encode_args({a = print})", "! t:1: attempt to use function as query arg value"},
        {"ngx.encode_args({a = {print}})", "! t:1: attempt to use function as query arg value"},
        {"ngx.encode_args({a = {{}}})", "! t:1: attempt to use table as query arg value"},
        {"ngx.encode_args({a = ngx.null})", "! t:1: attempt to use userdata as query arg value"},
        {"ngx.encode_args(\"x\")",
                "! t:1: bad argument #1 to 'encode_args' (table expected, got string)"},
        {"ngx.encode_args(nil)",
                "! t:1: bad argument #1 to 'encode_args' (table expected, got nil)"},
        {"ngx.encode_args()", "! t:1: expecting 1 argument but seen 0"},
        {"ngx.encode_args({}, 1)", "! t:1: expecting 1 argument but seen 2"},
        {"ngx.decode_args(\"a=b&c=d%20e+f&g\")", "{a='b',c='d e f',g=true}"},
        {"ngx.decode_args(\"\")", "{}"},
        {"ngx.decode_args(\"&\"), ngx.decode_args(\"&&&a=1&&\"), ngx.decode_args(\"=x\"), "
         "ngx.decode_args(\"=\"), ngx.decode_args(\"a=\")",
                "{}, {a='1'}, {}, {}, {a=''}"},
        {"ngx.decode_args(\"a=1&a=2&a&a=\")", "{a={1='1',2='2',3=true,4=''}}"},
        {"ngx.decode_args(\"a=1=2&b==\")", "{a='1=2',b='='}"},
        {"ngx.decode_args(\"a=1&b=2&c=3\", 2)", "{a='1',b='2'}, 'truncated'"},
        {"ngx.decode_args(\"a=1&b=2&c=3\", 3)", "{a='1',b='2',c='3'}"},
        {"ngx.decode_args(\"a=1&b=2&c=3\", 0)", "{a='1',b='2',c='3'}"},
        {"ngx.decode_args(\"a=1&b=2&c=3\", 1)", "{a='1'}, 'truncated'"},
        {"ngx.decode_args(\"a=1&b=2&c=3\", -1)", "{a='1',b='2',c='3'}"},
        {"ngx.decode_args(\"a=1&a=2&a=3&&&\", 3)", "{a={1='1',2='2',3='3'}}, 'truncated'"},
        {"local t = {} for i = 1, 120 do t[i] = \"k\" .. i .. \"=1\" end local r, e = "
         "ngx.decode_args(table.concat(t, \"&\")) local n = 0 for _ in pairs(r) do n = n + 1 end "
         "return S(n, e)",
                "100, 'truncated'"},
        {"local t = {} for i = 1, 120 do t[i] = \"k\" .. i .. \"=1\" end local r, e = "
         "ngx.decode_args(table.concat(t, \"&\"), 0) local n = 0 for _ in pairs(r) do n = n + 1 "
         "end return S(n, e)",
                "120, nil"},
        {"ngx.decode_args(\"a%00b=%zz&%=1\")", "{%='1',a<00>b='%zz'}"},
        {"ngx.decode_args(\"a=b?c=d;e\")", "{a='b?c=d;e'}"},
        {"ngx.decode_args(\"1=2\")", "{1='2'}"},
        {"ngx.decode_args(nil)",
                "! t:1: bad argument #1 to 'decode_args' (string expected, got nil)"},
        {"ngx.decode_args()", "! t:1: expecting 1 or 2 arguments but seen 0"},
        {"ngx.decode_args({})",
                "! t:1: bad argument #1 to 'decode_args' (string expected, got table)"},
        {"ngx.decode_args(12)", "{12=true}"},
        {"ngx.decode_args(\"a=1\", \"x\")",
                "! t:1: bad argument #2 to 'decode_args' (number expected, got string)"},
        {"ngx.decode_args(\"a=1\", nil)",
                "! t:1: bad argument #2 to 'decode_args' (number expected, got nil)"},
        {"ngx.decode_args(\"a=1\", 1, 2)", "! t:1: expecting 1 or 2 arguments but seen 3"},
        {"getmetatable(ngx.decode_args(\"A=1\"))", "nil"},
};

/* Came with 0.10.24. */
static const struct lua_row mime[] = {
        {"ngx.decode_base64mime(\"YW\\nJj\"), ngx.decode_base64mime(\"YW Jj!\")", "'abc', 'abc'"},
        {"ngx.decode_base64mime(\"YWJjZ\"), ngx.decode_base64mime(\"Y Q = = YQ\")", "nil, 'a'"},
        {"ngx.decode_base64mime(\"\"), ngx.decode_base64mime(\"\\n\")", "'', ''"},
        {"ngx.decode_base64mime(1)", "! t:1: string argument only"},
};

static lua_State *new_vm(void)
{
	lua_State *L = lua_rows_new();

	lua_pushlightuserdata(L, NULL);
	lua_setfield(L, -2, "null");
	ngx_string_open(L);
	ck_assert_int_eq(lua_gettop(L), 1);
	char every[256];
	for (int i = 0; i < 256; i++)
		every[i] = (char)i;
	lua_pushlstring(L, every, sizeof every);
	lua_setglobal(L, "every");
	lua_rows_preload(L, "ngx.base64", ngx_base64_module);
	return L;
}

START_TEST(results_and_errors_are_those_of_ngx_lua)
{
	lua_State *L = new_vm();

	lua_rows_run(L, rows, sizeof(rows) / sizeof(rows[0]));
	lua_rows_run(L, mime, sizeof(mime) / sizeof(mime[0]));
	lua_close(L);
}
END_TEST

/* Lengths around what fits on the stack, forth and back. */
START_TEST(every_length_comes_back)
{
	static const struct lua_row trips[] = {
	        {"local b64 = require 'ngx.base64' local s = '' for n = 0, 2100 do "
	         "local function is(x, why) if x ~= s then error(why .. n) end end "
	         "is(ngx.decode_base64(ngx.encode_base64(s)), 'padded ') "
	         "is(ngx.decode_base64(ngx.encode_base64(s, true)), 'bare ') "
	         "is(b64.decode_base64url(b64.encode_base64url(s)), 'url ') "
	         "is(ngx.unescape_uri(ngx.escape_uri(s)), 'uri ') "
	         "local t = ngx.decode_args(ngx.encode_args{[s .. 'x'] = s}) is(t[s .. 'x'], 'args "
	         "') "
	         "s = s .. string.char(n * 7 % 256) end return S(#s)",
	                "2101"},
	        /* A finalizer that changes the table while it is written. */
	        {"collectgarbage('setpause', 1) for i = 1, 300 do local t = {a = ('x'):rep(i * "
	         "20)} "
	         "local p = newproxy(true) getmetatable(p).__gc = function() t.a = ('%'):rep(9000) "
	         "t.b = t.a end "
	         "p = nil pcall(ngx.encode_args, t) end return S('done')",
	                "'done'"},
	};
	lua_State *L = new_vm();

	lua_rows_run(L, trips, sizeof(trips) / sizeof(trips[0]));
	lua_close(L);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_ngx_string");
	TCase *tc = tcase_create("string");
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, results_and_errors_are_those_of_ngx_lua);
	tcase_add_test(tc, every_length_comes_back);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
