/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/ngx_re.h"

#include "base/fault.h"
#include "lua_rows.h"

/* What ngx_lua 0.10.23 with PCRE1 gives for each. */
static const struct lua_row same[] = {
        /* match */
        {"ngx.re.match(\"hello, 1234\", \"([0-9])([0-9]+)\")", "{0='1234',1='1',2='234'}"},
        {"ngx.re.match(\"hello\", \"x\")", "nil"},
        {"ngx.re.match(\"hello, 1234\", \"(?<one>[a-z]+), (?<two>[0-9]+)(?<three>x)?\")",
                "{0='hello, 1234',1='hello',2='1234',3=false,one='hello',three=false,two='1234'}"},
        {"ngx.re.match(\"ab\", \"(a)|(b)|(c)\")", "{0='a',1='a',2=false,3=false}"},
        {"ngx.re.match(\"b\", \"(a)|(b)|(c)\")", "{0='b',1=false,2='b',3=false}"},
        {"ngx.re.match(\"ac\", \"(a)(b)?(c)?(d)?\")", "{0='ac',1='a',2=false,3='c',4=false}"},
        {"ngx.re.match(123, \"2\"), ngx.re.match(nil, \"nil\"), ngx.re.match(true, \"r\")",
                "{0='2'}, {0='nil'}, {0='r'}"},
        {"ngx.re.match(\"x\", \"x\", false)", "{0='x'}"},
        {"ngx.re.match(\"HELLO\", \"hello\", \"i\"), ngx.re.match(\"a\\nb\", \"^b\", \"m\"), "
         "ngx.re.match(\"a\\nb\", \"a.b\"), ngx.re.match(\"a\\nb\", \"a.b\", \"s\")",
                "{0='HELLO'}, {0='b'}, nil, {0='a<0a>b'}"},
        {"ngx.re.match(\"ab\", \"a b # comment\", \"x\"), ngx.re.match(\"xa\", \"a\", \"a\"), "
         "ngx.re.match(\"ax\", \"a\", \"a\")",
                "{0='ab'}, nil, {0='a'}"},
        {"ngx.re.match(\"\\228\\189\\160\", \"^.$\"), ngx.re.match(\"\\228\\189\\160\", \"^.$\", "
         "\"u\"), ngx.re.match(\"\\228\\189\\160\", \"^.$\", \"U\")",
                "nil, {0='<e4><bd><a0>'}, {0='<e4><bd><a0>'}"},
        {"ngx.re.match(\"\\255\\254\", \".\", \"u\")", "nil, 'pcre_exec() failed: -10'"},
        {"ngx.re.match(\"a\\255\\254\", \"a\", \"u\")", "nil, 'pcre_exec() failed: -10'"},
        {"ngx.re.match(\"\\228\\189\", \".\", \"u\")", "nil, 'pcre_exec() failed: -10'"},
        {"ngx.re.match(\"abc\", \"(?<n>a)|(?<n>b)\", \"D\"), ngx.re.match(\"bc\", "
         "\"(?<n>a)|(?<n>b)\", \"D\")",
                "{0='a',1='a',2=false,n={1='a'}}, {0='b',1=false,2='b',n={1='b'}}"},
        {"ngx.re.match(\"abc\", \"(?<n>a)(?<n>b)?(?<m>x)?\", \"D\")",
                "{0='ab',1='a',2='b',3=false,n={1='a',2='b'}}"},
        {"ngx.re.match(\"abc\", \"(?<n>a)|(?<n>b)\")",
                "nil, 'pcre_compile() failed: two named subpatterns have the same name in "
                "\"(?<n>a)|(?<n>b)\" at \">b)\"'"},
        {"ngx.re.match(\"abc\", \"(?J)(?<n>a)|(?<n>b)\"), ngx.re.match(\"b\", "
         "\"(?J)(?<n>a)|(?<n>b)\")",
                "{0='a',1='a',2=false,n=false}, {0='b',1=false,2='b',n='b'}"},
        {"ngx.re.match(\"abc\", \"(?<n>a)(b)\", \"d\")", "{0='ab'}"},
        {"ngx.re.match(\"foobar\", \"foo|foobar\", \"d\"), ngx.re.match(\"foobar\", "
         "\"foo|foobar\")",
                "{0='foobar'}, {0='foo'}"},
        {"ngx.re.match(\"a\", \"(a)\\\\1\", \"d\")", "nil"},
        {"ngx.re.match(\"aaa\", \"a+\", \"dj\"), ngx.re.match(\"aaa\", \"a+\", \"djo\"), "
         "ngx.re.match(\"aaa\", \"a+\", \"jo\")",
                "{0='aaa'}, {0='aaa'}, {0='aaa'}"},
        {"ngx.re.match(\"x\", \"[]\", \"J\"), ngx.re.match(\"x\", \"[^]\", \"J\")", "nil, {0='x'}"},
        {"ngx.re.match(\"a\", \"(b)?\\\\1a\"), ngx.re.match(\"a\", \"(b)?\\\\1a\", \"J\")",
                "nil, {0='a',1=false}"},
        {"ngx.re.match(\"x\", \"\\\\u0078\", \"J\")", "{0='x'}"},
        {"ngx.re.match(\"U\", \"\\\\U\", \"J\")", "{0='U'}"},
        /* ctx */
        {"local c = {} local m = ngx.re.match(\"1234, hello\", \"[0-9]+\", \"\", c) return S(m, c)",
                "{0='1234'}, {pos=5}"},
        {"local c = {pos = 3} local m = ngx.re.match(\"1234, hello\", \"[0-9]+\", \"\", c) return "
         "S(m, c)",
                "{0='34'}, {pos=5}"},
        {"local c = {pos = 0} local m = ngx.re.match(\"1234, hello\", \"[0-9]+\", \"\", c) return "
         "S(m, c)",
                "{0='1234'}, {pos=5}"},
        {"local c = {pos = -5} local m = ngx.re.match(\"1234, hello\", \"[0-9]+\", \"\", c) return "
         "S(m, c)",
                "{0='1234'}, {pos=5}"},
        {"local c = {pos = 100} local m, e = ngx.re.match(\"1234, hello\", \"[0-9]+\", \"\", c) "
         "return S(m, e, c)",
                "nil, 'pcre_exec() failed: -24', {pos=100}"},
        {"local c = {pos = 5} local m, e = ngx.re.match(\"1234\", \"x*\", \"\", c) return S(m, e, "
         "c)",
                "{0=''}, nil, {pos=5}"},
        {"local c = {pos = 6} local m, e = ngx.re.match(\"1234\", \"x*\", \"\", c) return S(m, e, "
         "c)",
                "nil, 'pcre_exec() failed: -24', {pos=6}"},
        {"local c = {pos = 2.7} local m, e = ngx.re.match(\"1234\", \"[0-9]+\", \"\", c) return "
         "S(m, e, c)",
                "{0='234'}, nil, {pos=5}"},
        {"local c = {pos = 2} local m, e = ngx.re.match(\"abc\", \"^b\", \"\", c) return S(m, e, "
         "c)",
                "nil, nil, {pos=2}"},
        {"local c = {pos = 2} local m, e = ngx.re.match(\"abc\", \"b\", \"a\", c) return S(m, e, "
         "c)",
                "{0='b'}, nil, {pos=3}"},
        {"local c = {pos = 2} local m, e = ngx.re.match(\"abc\", \"(?<=a)b\", \"\", c) return S(m, "
         "e, c)",
                "{0='b'}, nil, {pos=3}"},
        {"local c = {pos = 2} local m, e = ngx.re.match(\"\\195\\169x\", \"x\", \"u\", c) return "
         "S(m, e, c)",
                "nil, 'pcre_exec() failed: -11', {pos=2}"},
        {"ngx.re.match(\"abc\", \"b\", nil, nil)", "{0='b'}"},
        /* res_table */
        {"local r = {7, 8, 9, x = 1} local m = ngx.re.match(\"ab\", \"(a)(?<n>b)\", \"\", nil, r) "
         "return S(m == r, r)",
                "true, {0='ab',1='a',2='b',3=9,n='b',x=1}"},
        {"local r = {} local m = ngx.re.match(\"ab\", \"(x)\", \"\", nil, r) return S(m, r)",
                "nil, {}"},
        /* find */
        {"ngx.re.find(\"hello, 1234\", \"([0-9])([0-9]+)\")", "8, 11"},
        {"ngx.re.find(\"hello, 1234\", \"([0-9])([0-9]+)\", \"jo\", nil, 2)", "9, 11"},
        {"ngx.re.find(\"hello, 1234\", \"([0-9])([0-9]+)\", \"jo\", nil, 3)",
                "nil, nil, 'nth out of bound'"},
        {"ngx.re.find(\"hello, 1234\", \"([0-9])([0-9]+)(x)?\", \"jo\", nil, 3)", "nil, nil"},
        {"ngx.re.find(\"hello, 1234\", \"([0-9])([0-9]+)(x)?(y)?\", \"jo\", nil, -1)", "8, 11"},
        {"ngx.re.find(\"b\", \"(a)|(b)\", \"\", nil, 1)", "nil, nil"},
        {"ngx.re.find(\"x\", \"y\")", "nil"},
        {"ngx.re.find(\"x\", \"(\"), ngx.re.find(\"x\", \"\", \"\"), ngx.re.find(\"\", \"\"), "
         "ngx.re.find(\"\", \"x\")",
                "nil, 1, 1, nil"},
        {"local c = {pos = 3} local f, t = ngx.re.find(\"aaaa\", \"a\", \"\", c) return S(f, t, c)",
                "3, 3, {pos=4}"},
        {"ngx.re.find(\"\\255\", \".\", \"u\")", "nil, nil, 'pcre_exec() failed: -10'"},
        /* gmatch */
        {"local out = {} for m in ngx.re.gmatch(\"hello, world\", \"([a-z]+)\", \"i\") do out[#out "
         "+ 1] = m[1] end return S(out)",
                "{1='hello',2='world'}"},
        {"local out = {} for m in ngx.re.gmatch(\"abc\", \"\") do out[#out + 1] = m[0] end return "
         "S(out)",
                "{1='',2='',3='',4=''}"},
        {"local out = {} for m in ngx.re.gmatch(\"abc\", \"b*\") do out[#out + 1] = m[0] end "
         "return S(out)",
                "{1='',2='b',3='',4=''}"},
        {"local it, err = ngx.re.gmatch(\"x\", \"(\") return S(it, err)",
                "nil, 'pcre_compile() failed: missing ) in \"(\"'"},
        {"local it = ngx.re.gmatch(\"aa\", \"a\") return S(it(), it(), it(), it(), it())",
                "{0='a'}, {0='a'}, nil, nil, nil"},
        {"local it = ngx.re.gmatch(\"\\255\", \".\", \"u\") return S(it())",
                "nil, 'pcre_exec() failed: -10'"},
        {"local it = ngx.re.gmatch(\"\\255\", \".\", \"u\") it() return S(it())", "nil"},
        {"local it = ngx.re.gmatch(\"ab\", \"$\") return S(it(), it())", "{0=''}, nil"},
        {"local it = ngx.re.gmatch(\"ab\", \"^\") return S(it(), it())", "{0=''}, nil"},
        {"local it = ngx.re.gmatch(\"aab\", \"^a\") return S(it(), it())", "{0='a'}, nil"},
        {"local it = ngx.re.gmatch(\"foofoo\", \"\\\\Gfoo\", \"jo\") return S(it(), it(), it())",
                "{0='foo'}, {0='foo'}, nil"},
        {"local it = ngx.re.gmatch(123, \".\") return S(it(), it())", "{0='1'}, {0='2'}"},
        {"local it = ngx.re.gmatch(\"k=v, x=y\", \"(?<k>\\\\w)=(?<v>\\\\w)\") return S(it(), it(), "
         "it())",
                "{0='k=v',1='k',2='v',k='k',v='v'}, {0='x=y',1='x',2='y',k='x',v='y'}, nil"},
        /* sub */
        {"ngx.re.sub(\"hello, 1234\", \"[0-9]\", \"$0$0\")", "'hello, 11234', 1"},
        {"ngx.re.sub(\"hello, 1234\", \"([0-9])[0-9]\", \"[$0][$1]\")", "'hello, [12][1]34', 1"},
        {"ngx.re.sub(\"hello, 1234\", \"[0-9]\", \"${0}00\"), ngx.re.sub(\"hello, 1234\", "
         "\"[0-9]\", \"$$\")",
                "'hello, 100234', 'hello, $234', 1"},
        {"ngx.re.sub(\"hello, 1234\", \"x\", \"y\")", "'hello, 1234', 0"},
        {"ngx.re.sub(\"abcd\", \"(b)(c)\", \"$2$1-$3-$9\")", "'acb--d', 1"},
        {"ngx.re.sub(\"abcd\", \"(b)(c)\", \"$12\"), ngx.re.sub(\"abcd\", \"(b)(c)\", \"${1}2\"), "
         "ngx.re.sub(\"abcd\", \"(b)(c)\", \"$01\")",
                "'ad', 'ab2d', 'abd', 1"},
        {"ngx.re.sub(\"a\", \"a\", \"$name\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"${name}\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"(?<name>a)\", \"$name\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"$\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"x$\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"$ x\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"${\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"${1\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"${}\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"$-\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"${1a}\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"$1a\"), ngx.re.sub(\"a\", \"a\", \"\\\\1%1&\")",
                "'a', '\\1%1&', 1"},
        {"ngx.re.sub(\"a\", \"a\", \"$$$$x$$1\")", "'$$x$1', 1"},
        {"ngx.re.sub(\"a\", \"(a)\", \"$1$\"), ngx.re.sub(\"a\", \"(a)\", \"$\")",
                "nil, nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"$_x\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.sub(\"a\", \"a\", \"$99999999999999999999\")", "'', 1"},
        {"ngx.re.sub(\"b\", \"(a)|(b)\", \"<$1|$2>\")", "'<|b>', 1"},
        {"ngx.re.sub(\"b\", \"(?<x>b)\", function(m) return \"<\" .. m[0] .. m.x .. \">\" end)",
                "'<bb>', 1"},
        {"ngx.re.sub(\"abc\", \"b\", function(m) return m end) ~= nil", "true"},
        {"ngx.re.sub(\"abc\", \"b\", function(m) error(\"oh\") end)", "! t:1: oh"},
        {"ngx.re.sub(\"abc\", \"b\", function(m) return \"$1$$\" end)", "'a$1$$c', 1"},
        {"ngx.re.sub(\"abc\", \"b\", 12), ngx.re.sub(\"abc\", \"b\", true)", "'a12c', 'atruec', 1"},
        {"ngx.re.sub(\"abc\", \"b\", nil)", "'anilc', 1"},
        {"ngx.re.sub(\"abc\", \"b\")", "'anilc', 1"},
        {"ngx.re.sub(\"abc\", \"(\", \"x\")",
                "nil, nil, 'pcre_compile() failed: missing ) in \"(\"'"},
        {"ngx.re.sub(\"\\255\", \".\", \"x\", \"u\")", "nil, nil, 'pcre_exec() failed: -10'"},
        {"ngx.re.sub(\"abc\", \"\", \"-\"), ngx.re.sub(\"\", \"\", \"-\"), ngx.re.sub(\"\", \"x\", "
         "\"-\"), ngx.re.sub(\"abc\", \"$\", \"-\")",
                "'-abc', '-', '', 'abc-', 1"},
        /* gsub */
        {"ngx.re.gsub(\"hello, world\", \"([a-z])[a-z]+\", \"[$0,$1]\", \"i\")",
                "'[hello,h], [world,w]', 2"},
        {"ngx.re.gsub(\"abc\", \"\", \"-\"), ngx.re.gsub(\"abc\", \"x*\", \"-\"), "
         "ngx.re.gsub(\"abc\", \"b*\", \"-\"), ngx.re.gsub(\"\", \"\", \"-\"), "
         "ngx.re.gsub(\"abbc\", \"b*\", \"<$0>\")",
                "'-a-b-c-', '-a-b-c-', '-a--c-', '-', '<>a<bb><>c<>', 4"},
        {"ngx.re.gsub(\"a\\195\\169b\", \"x*\", \"-\")", "'-a-<c3>-<a9>-b-', 5"},
        {"ngx.re.gsub(\"abc\", \"$\", \"!\"), ngx.re.gsub(\"abc\", \"^\", \"!\"), "
         "ngx.re.gsub(\"a\\nb\", \"^\", \"!\", \"m\"), ngx.re.gsub(\"a\\nb\", \"$\", \"!\", \"m\")",
                "'abc!', '!abc', '!a<0a>!b', 'a!<0a>b!', 2"},
        {"ngx.re.gsub(\"aaa\", \"^a\", \"b\"), ngx.re.gsub(\"aaa\", \"a\", \"b\", \"a\"), "
         "ngx.re.gsub(\"aab\", \"a\", \"x\", \"a\")",
                "'baa', 'bbb', 'xxb', 2"},
        {"ngx.re.gsub(\"hello\", \"l\", function(m) return \"<\" .. m[0] .. \">\" end)",
                "'he<l><l>o', 2"},
        {"ngx.re.gsub(\"hello\", \"l\", function(m) return (ngx.re.gsub(m[0], \"l\", \"L\", "
         "\"jo\")) end, \"jo\")",
                "'heLLo', 2"},
        {"ngx.re.gsub(\"abcabc\", \"b\", \"\", \"jo\"), ngx.re.gsub(\"abcabc\", \"b\", \"xyz\", "
         "\"jo\"), ngx.re.gsub(\"abcabc\", \"z\", \"\", \"jo\")",
                "'acac', 'axyzcaxyzc', 'abcabc', 0"},
        {"ngx.re.gsub((\"x\"):rep(10), \"x\", (\"y\"):rep(1000)) == (\"y\"):rep(10000)", "true"},
        {"ngx.re.gsub(\"a.b.c\", \"\\\\.\", \"$$\"), ngx.re.gsub(\"abc\", \".\", \"$0$0\", \"d\")",
                "'a$b$c', 'aabbcc', 3"},
        {"ngx.re.gsub(\"foo\", \"o\", \"$x\")",
                "nil, nil, 'failed to compile the replacement template'"},
        {"ngx.re.gsub(\"foo\", \"o|(?=x)|\", \"-\")", "'-f---', 4"},
        {"ngx.re.gsub(\"\\195\\169\\255\", \".\", \"x\", \"u\")",
                "nil, nil, 'pcre_exec() failed: -10'"},
        /* compile errors */
        {"ngx.re.match(\"x\", \"(\")", "nil, 'pcre_compile() failed: missing ) in \"(\"'"},
        {"ngx.re.match(\"x\", \"abc(def\")",
                "nil, 'pcre_compile() failed: missing ) in \"abc(def\"'"},
        {"ngx.re.match(\"x\", \")\")",
                "nil, 'pcre_compile() failed: unmatched parentheses in \")\" at \")\"'"},
        {"ngx.re.match(\"x\", \"abc)def\")",
                "nil, 'pcre_compile() failed: unmatched parentheses in \"abc)def\" at \")def\"'"},
        {"ngx.re.match(\"x\", \"[abc\")", "nil, 'pcre_compile() failed: missing terminating ] for "
                                          "character class in \"[abc\"'"},
        {"ngx.re.match(\"x\", \"*\")",
                "nil, 'pcre_compile() failed: nothing to repeat in \"*\" at \"*\"'"},
        {"ngx.re.match(\"x\", \"a**\")",
                "nil, 'pcre_compile() failed: nothing to repeat in \"a**\" at \"*\"'"},
        {"ngx.re.match(\"x\", \"x(?z)y\")", "nil, 'pcre_compile() failed: unrecognized character "
                                            "after (? or (?- in \"x(?z)y\" at \"z)y\"'"},
        {"ngx.re.match(\"x\", \"[b-a]x\")", "nil, 'pcre_compile() failed: range out of order in "
                                            "character class in \"[b-a]x\" at \"a]x\"'"},
        {"ngx.re.match(\"x\", \"a\\\\\")",
                "nil, 'pcre_compile() failed: \\ at end of pattern in \"a\\\"'"},
        {"ngx.re.match(\"x\", \"(?<n\")", "nil, 'pcre_compile() failed: syntax error in subpattern "
                                          "name (missing terminator) in \"(?<n\"'"},
        {"ngx.re.match(\"x\", \"(?<n>a)(?<n>b)\")",
                "nil, 'pcre_compile() failed: two named subpatterns have the same name in "
                "\"(?<n>a)(?<n>b)\" at \">b)\"'"},
        {"ngx.re.match(\"x\", \"(?<1a>b)\")", "nil, 'pcre_compile() failed: group name must start "
                                              "with a non-digit in \"(?<1a>b)\" at \"1a>b)\"'"},
        {"ngx.re.match(\"x\", \"(?<=a+)b\")", "nil, 'pcre_compile() failed: lookbehind assertion "
                                              "is not fixed length in \"(?<=a+)b\" at \")b\"'"},
        {"ngx.re.match(\"x\", \"(?P=a)\")", "nil, 'pcre_compile() failed: reference to "
                                            "non-existent subpattern in \"(?P=a)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"\\\\1\")",
                "nil, 'pcre_compile() failed: reference to non-existent subpattern in \"\\1\"'"},
        {"ngx.re.match(\"x\", \"(a)\\\\2x\")", "nil, 'pcre_compile() failed: reference to "
                                               "non-existent subpattern in \"(a)\\2x\"'"},
        {"ngx.re.match(\"x\", \"a{2,1}b\")", "nil, 'pcre_compile() failed: numbers out of order in "
                                             "{} quantifier in \"a{2,1}b\" at \"}b\"'"},
        {"ngx.re.match(\"x\", \"a{65536}b\")", "nil, 'pcre_compile() failed: number too big in {} "
                                               "quantifier in \"a{65536}b\" at \"}b\"'"},
        {"ngx.re.match(\"x\", \"[[:foo:]]\")", "nil, 'pcre_compile() failed: unknown POSIX class "
                                               "name in \"[[:foo:]]\" at \"foo:]]\"'"},
        {"ngx.re.match(\"x\", \"[:alpha:]\")",
                "nil, 'pcre_compile() failed: POSIX named classes are supported only within a "
                "class in \"[:alpha:]\" at \"[:alpha:]\"'"},
        {"ngx.re.match(\"x\", \"\\\\p{Foo}x\")",
                "nil, 'pcre_compile() failed: unknown property name after \\P or \\p in "
                "\"\\p{Foo}x\" at \"}x\"'"},
        {"ngx.re.match(\"x\", \"\\\\px\")", "nil, 'pcre_compile() failed: unknown property name "
                                            "after \\P or \\p in \"\\px\" at \"x\"'"},
        {"ngx.re.match(\"x\", \"\\\\x{110000}\", \"u\")",
                "nil, 'pcre_compile() failed: character value in \\x{} or \\o{} is too large in "
                "\"\\x{110000}\" at \"}\"'"},
        {"ngx.re.match(\"x\", \"\\\\x{100}\")",
                "nil, 'pcre_compile() failed: character value in \\x{} or \\o{} is too large in "
                "\"\\x{100}\" at \"}\"'"},
        {"ngx.re.match(\"x\", \"\\\\400\")",
                "nil, 'pcre_compile() failed: octal value is greater than \\377 in 8-bit non-UTF-8 "
                "mode in \"\\400\" at \"0\"'"},
        {"ngx.re.match(\"x\", \"\\\\k\")",
                "nil, 'pcre_compile() failed: \\k is not followed by a braced, angle-bracketed, or "
                "quoted name in \"\\k\" at \"k\"'"},
        {"ngx.re.match(\"x\", \"(?1)\")", "nil, 'pcre_compile() failed: reference to non-existent "
                                          "subpattern in \"(?1)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"(?R\")", "nil, 'pcre_compile() failed: (?R or (?[+-]digits must be "
                                         "followed by ) in \"(?R\"'"},
        {"ngx.re.match(\"x\", \"(?(1)a|b|c)\")",
                "nil, 'pcre_compile() failed: reference to non-existent subpattern in "
                "\"(?(1)a|b|c)\" at \"a|b|c)\"'"},
        {"ngx.re.match(\"x\", \"(?(?x)a)\")", "nil, 'pcre_compile() failed: assertion expected "
                                              "after (?( or (?(?C) in \"(?(?x)a)\" at \"?x)a)\"'"},
        {"ngx.re.match(\"x\", \"(?(\")",
                "nil, 'pcre_compile() failed: assertion expected after (?( or (?(?C) in \"(?(\"'"},
        {"ngx.re.match(\"x\", \"(*FOO)\")", "nil, 'pcre_compile() failed: (*VERB) not recognized "
                                            "or malformed in \"(*FOO)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"(?#abc\")",
                "nil, 'pcre_compile() failed: missing ) after comment in \"(?#abc\"'"},
        {"ngx.re.match(\"x\", \"\\\\N{name}\")",
                "nil, 'pcre_compile() failed: PCRE does not support \\L, \\l, \\N{name}, \\U, or "
                "\\u in \"\\N{name}\" at \"N{name}\"'"},
        {"ngx.re.match(\"x\", \"\\\\L\")", "nil, 'pcre_compile() failed: PCRE does not support "
                                           "\\L, \\l, \\N{name}, \\U, or \\u in \"\\L\" at \"L\"'"},
        {"ngx.re.match(\"x\", \"\\\\c\")",
                "nil, 'pcre_compile() failed: \\c at end of pattern in \"\\c\"'"},
        {"ngx.re.match(\"x\", \"(?C256)\")",
                "nil, 'pcre_compile() failed: number after (?C is > 255 in \"(?C256)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"(?C1\")",
                "nil, 'pcre_compile() failed: closing ) for (?C expected in \"(?C1\"'"},
        {"ngx.re.match(\"x\", \"\\255\", \"u\")",
                "nil, 'pcre_compile() failed: invalid UTF-8 string in \"<ff>\" at \"<ff>\"'"},
        {"ngx.re.match(\"x\", \"(?P<\" .. (\"a\"):rep(40) .. \">x)\")",
                "nil, 'pcre_compile() failed: subpattern name is too long (maximum 32 characters) "
                "in \"(?P<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>x)\"'"},
        {"ngx.re.match(\"x\", (\"(\"):rep(300) .. (\")\"):rep(300))",
                "nil, 'pcre_compile() failed: parentheses are too deeply nested in "
                "\"(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((('"},
        {"ngx.re.match(\"x\", \"(\" .. (\"a\"):rep(200))",
                "nil, 'pcre_compile() failed: missing ) in "
                "\"("
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaa'"},
        {"ngx.re.match(\"x\", (\"a\"):rep(150) .. \"(b\")",
                "nil, 'pcre_compile() failed: missing ) in "
                "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "aaaaaaaaaa'"},
        {"ngx.re.match(\"x\", (\"a\"):rep(20) .. \")\" .. (\"b\"):rep(150))",
                "nil, 'pcre_compile() failed: unmatched parentheses in "
                "\"aaaaaaaaaaaaaaaaaaaa)"
                "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'"},
        {"ngx.re.match(\"x\", \"(?i\")",
                "nil, 'pcre_compile() failed: unrecognized character after (? or (?- in \"(?i\"'"},
        {"ngx.re.match(\"x\", \"(?\")",
                "nil, 'pcre_compile() failed: unrecognized character after (? or (?- in \"(?\"'"},
        {"ngx.re.match(\"x\", \"(?<\")",
                "nil, 'pcre_compile() failed: unrecognized character after (?< in \"(?<\"'"},
        {"ngx.re.match(\"x\", \"(?P\")",
                "nil, 'pcre_compile() failed: unrecognized character after (?P in \"(?P\"'"},
        {"ngx.re.match(\"x\", \"(?Px)\")", "nil, 'pcre_compile() failed: unrecognized character "
                                           "after (?P in \"(?Px)\" at \"x)\"'"},
        {"ngx.re.match(\"x\", \"[a-\\\\d]\"), ngx.re.match(\"x\", \"a{,2}\"), ngx.re.match(\"x\", "
         "\"{\"), ngx.re.match(\"x\", \"x{1\")",
                "nil, nil, nil, nil"},
        {"ngx.re.match(\"x\", \"[[.a.]]\")",
                "nil, 'pcre_compile() failed: POSIX collating elements are not supported in "
                "\"[[.a.]]\" at \"[.a.]]\"'"},
        {"ngx.re.match(\"x\", \"(?<!a*)\")", "nil, 'pcre_compile() failed: lookbehind assertion is "
                                             "not fixed length in \"(?<!a*)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"\\\\o{9}\")",
                "nil, 'pcre_compile() failed: non-octal character in \\o{} (closing brace "
                "missing?) in \"\\o{9}\" at \"9}\"'"},
        {"ngx.re.match(\"x\", \"\\\\o7\")", "nil, 'pcre_compile() failed: missing opening brace "
                                            "after \\o in \"\\o7\" at \"o7\"'"},
        {"ngx.re.match(\"x\", \"\\\\x{zz}\")",
                "nil, 'pcre_compile() failed: non-hex character in \\x{} (closing brace missing?) "
                "in \"\\x{zz}\" at \"zz}\"'"},
        {"ngx.re.match(\"x\", \"((((\")", "nil, 'pcre_compile() failed: missing ) in \"((((\"'"},
        {"ngx.re.match(\"a\\0b\", \"a\\\\0b\")", "{0='a<00>b'}"},
        {"ngx.re.match(\"x\", \"(?:a{0,65535}){0,65535}{0,65535}\")",
                "nil, 'pcre_compile() failed: nothing to repeat in "
                "\"(?:a{0,65535}){0,65535}{0,65535}\" at \"}\"'"},
        {"ngx.re.match(\"x\", \"(?-i-\")", "nil, 'pcre_compile() failed: unrecognized character "
                                           "after (? or (?- in \"(?-i-\"'"},
        {"ngx.re.match(\"x\", \"\\\\g{-2}\")", "nil, 'pcre_compile() failed: reference to "
                                               "non-existent subpattern in \"\\g{-2}\" at \"}\"'"},
        {"ngx.re.match(\"x\", \"(?&foo)\")", "nil, 'pcre_compile() failed: reference to "
                                             "non-existent subpattern in \"(?&foo)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"(?P>foo)\")", "nil, 'pcre_compile() failed: reference to "
                                              "non-existent subpattern in \"(?P>foo)\" at \")\"'"},
        {"ngx.re.match(\"x\", \"(?'n'a\")",
                "nil, 'pcre_compile() failed: missing ) in \"(?'n'a\"'"},
        {"ngx.re.match(\"x\", \"[\\\\N]\")", "nil, 'pcre_compile() failed: \\N is not supported in "
                                             "a class in \"[\\N]\" at \"N]\"'"},
        {"ngx.re.match(\"x\", \"(?<a-b>x)\")",
                "nil, 'pcre_compile() failed: syntax error in subpattern name (missing terminator) "
                "in \"(?<a-b>x)\" at \"-b>x)\"'"},
        {"ngx.re.match(\"x\", \"(?<>x)\")", "nil, 'pcre_compile() failed: unrecognized character "
                                            "after (?< in \"(?<>x)\" at \">x)\"'"},
        /* exec errors */
        {"ngx.re.match((\"a\"):rep(30), \"(a+)+$b\")", "nil"},
        {"ngx.re.match((\"a\"):rep(30) .. \"b\", \"^(a+)+$\")", "nil, 'pcre_exec() failed: -8'"},
        {"ngx.re.match((\"a\"):rep(30) .. \"b\", \"^(a+)+$\", \"jo\")",
                "nil, 'pcre_exec() failed: -8'"},
        {"ngx.re.match((\"a\"):rep(100000), \"(?:(a)|b)*\", \"j\") ~= nil", "false"},
        {"ngx.re.find((\"a\"):rep(5000), \"(a|b|ab)*c\", \"d\")", "nil"},
        {"ngx.re.match(\"x\", \"(?:x(?R)?)+\", \"d\")", "{0='x'}"},
        /* split */
        {"require(\"ngx.re\").split(\"a,b,c,d\", \",\")", "{1='a',2='b',3='c',4='d'}"},
        {"require(\"ngx.re\").split(\"a,b,c,d\", \",\", nil, nil, 2)", "{1='a',2='b,c,d'}"},
        {"require(\"ngx.re\").split(\"a,b,c,d\", \"(,)\"), require(\"ngx.re\").split(\"a,b,c,d\", "
         "\"(,)\", nil, nil, 2)",
                "{1='a',2=',',3='b',4=',',5='c',6=',',7='d'}, {1='a',2=',',3='b,c,d'}"},
        {"require(\"ngx.re\").split(\"\", \",\"), require(\"ngx.re\").split(\",\", \",\"), "
         "require(\"ngx.re\").split(\",,\", \",\"), require(\"ngx.re\").split(\"a,,b,,\", \",\")",
                "{}, {}, {}, {1='a',2='',3='b'}"},
        {"require(\"ngx.re\").split(\"a,,b,,\", \",\", nil, nil, 10), "
         "require(\"ngx.re\").split(\",a\", \",\"), require(\"ngx.re\").split(\"abc\", \"x\")",
                "{1='a',2='',3='b',4='',5=''}, {1='',2='a'}, {1='abc'}"},
        {"require(\"ngx.re\").split(\"abcd\", \"\"), require(\"ngx.re\").split(\"abcd\", \"\", "
         "nil, nil, 2), require(\"ngx.re\").split(\"abcd\", \"\", nil, nil, 10)",
                "{1='a',2='b',3='c',4='d'}, {1='a',2='bcd'}, {1='a',2='b',3='c',4='d',5=''}"},
        {"local c = {pos = 3} local r = require(\"ngx.re\").split(\"a,b,c,d\", \",\", nil, c) "
         "return S(r, c)",
                "{1='b',2='c',3='d'}, {pos=6}"},
        {"local c = {pos = 30} local r = require(\"ngx.re\").split(\"a,b,c,d\", \",\", nil, c) "
         "return S(r, c)",
                "{}, {pos=30}"},
        {"local c = {pos = 0} local r = require(\"ngx.re\").split(\"a,b,c,d\", \",\", nil, c) "
         "return S(r, c)",
                "{1='a',2='b',3='c',4='d'}, {pos=6}"},
        {"local c = {} local r = require(\"ngx.re\").split(\"a,b\", \",\", nil, c, 1) return S(r, "
         "c)",
                "{1='a,b'}, {pos=0}"},
        {"local r = {1, 2, 3, 4, 5} local s = require(\"ngx.re\").split(\"a,b,c\", \",\", nil, "
         "nil, nil, r) return S(r, s == r)",
                "{1='a',2='b',3='c',5=5}, true"},
        {"local r = {1, 2, 3, 4, 5} local s = require(\"ngx.re\").split(\"\", \",\", nil, nil, "
         "nil, r) return S(r, s == r)",
                "{2=2,3=3,4=4,5=5}, true"},
        {"require(\"ngx.re\").split(\"a,b,c\", \",\", nil, nil, nil, 5)",
                "! t:1: res is not a table"},
        {"require(\"ngx.re\").split(\"a,b,c\", \"(\", \"jo\")",
                "nil, 'pcre_compile() failed: missing ) in \"(\"'"},
        {"require(\"ngx.re\").split(123, \"2\"), require(\"ngx.re\").split(nil, \"i\")",
                "{1='1',2='3'}, {1='n',2='l'}"},
        {"require(\"ngx.re\").split(\"a\\255b\", \"b\", \"u\")", "nil, 'pcre_exec() failed: -10'"},
        {"require(\"ngx.re\").split(\"a,b,c\", \",\", nil, nil, 1), "
         "require(\"ngx.re\").split(\"a,b,c\", \",\", nil, nil, 0), "
         "require(\"ngx.re\").split(\"a,b,c\", \",\", nil, nil, -1)",
                "{1='a,b,c'}, {1='a',2='b',3='c'}, {1='a',2='b',3='c'}"},
        {"require(\"ngx.re\").split(\"a,b,c\", \",\", nil, nil, 3), "
         "require(\"ngx.re\").split(\"a,b,\", \",\", nil, nil, 3), "
         "require(\"ngx.re\").split(\"a,b,\", \",\", nil, nil, 2)",
                "{1='a',2='b',3='c'}, {1='a',2='b',3=''}, {1='a',2='b,'}"},
        {"require(\"ngx.re\").split(\"foobar\", \"O\", \"i\")", "{1='f',2='',3='bar'}"},
        {"require(\"ngx.re\").split(\"a1b2c3\", \"[0-9]\", \"jo\"), "
         "require(\"ngx.re\").split(\"a1b2c3\", \"([0-9])\", \"jo\"), "
         "require(\"ngx.re\").split(\"1\", \"([0-9])\")",
                "{1='a',2='b',3='c'}, {1='a',2='1',3='b',4='2',5='c',6='3'}, {1='',2='1'}"},
        {"require(\"ngx.re\").opt(\"x\", 1)", "! t:1: unrecognized option name"},
        {"require(\"ngx.re\").opt(\"jit_stack_size\", 128 * 1024)",
                "! t:1: changing jit stack size is not allowed when some regexs have already been "
                "compiled and cached"},
        {"require(\"ngx.re\").opt(\"jit_stack_size\")",
                "! t:1: changing jit stack size is not allowed when some regexs have already been "
                "compiled and cached"},
        {"require(\"ngx.re\").opt()", "! t:1: unrecognized option name"},
        {"require(\"ngx.re\").version", "'0.1.25'"},
        {"select(2, ngx.re.match(\"x\", \"(\" .. (\"a\"):rep(200))):len(), select(2, "
         "ngx.re.match(\"x\", (\"a\"):rep(20) .. \")\" .. (\"b\"):rep(150))):len()",
                "127, 127"},
        {"select(2, ngx.re.match(\"x\", \"(\" .. (\"a\"):rep(84))):sub(-10), select(2, "
         "ngx.re.match(\"x\", \"(\" .. (\"a\"):rep(85))):sub(-10), select(2, ngx.re.match(\"x\", "
         "\"(\" .. (\"a\"):rep(86))):sub(-10), select(2, ngx.re.match(\"x\", \"(\" .. "
         "(\"a\"):rep(87))):sub(-10), select(2, ngx.re.match(\"x\", \"(\" .. "
         "(\"a\"):rep(88))):sub(-10), select(2, ngx.re.match(\"x\", \"(\" .. "
         "(\"a\"):rep(89))):sub(-10), select(2, ngx.re.match(\"x\", \"(\" .. "
         "(\"a\"):rep(90))):sub(-10), select(2, ngx.re.match(\"x\", \"(\" .. "
         "(\"a\"):rep(91))):sub(-10), select(2, ngx.re.match(\"x\", \"(\" .. "
         "(\"a\"):rep(92))):sub(-10)",
                "'aaaaaaaaa\"', 'aaaaaaaaa\"', 'aaaaaaaaa\"', 'aaaaaaaaa\"', 'aaaaaaaaa\"', "
                "'aaaaaaaaaa', 'aaaaaaaaaa', 'aaaaaaaaaa', 'aaaaaaaaaa'"},
};

/* Where ngx_lua has errors of Lua's own at lines of its own, reads a pattern only up to a NUL,
 * stops inside characters, or repeats pieces. */
static const struct lua_row wanted[] = {
        {"ngx.re.match(\"x\", nil)", "! t:1: attempt to get length of local 'regex' (a nil value)"},
        {"ngx.re.match(\"x\")", "! t:1: attempt to get length of local 'regex' (a nil value)"},
        {"ngx.re.match(\"123\", 2)",
                "! t:1: attempt to get length of local 'regex' (a number value)"},
        {"ngx.re.match(\"x\", {})",
                "! t:1: attempt to get length of local 'regex' (a table value)"},
        {"ngx.re.match(\"x\", true)",
                "! t:1: attempt to get length of local 'regex' (a boolean value)"},
        {"ngx.re.match(\"x\", \"x\", 5)",
                "! t:1: attempt to get length of local 'opts' (a number value)"},
        {"ngx.re.match(\"x\", \"x\", {\"j\"})",
                "! t:1: attempt to get length of local 'opts' (a table value)"},
        {"ngx.re.match(\"x\", \"x\", {}), ngx.re.match(\"x\", \"x\", {pos = 2})",
                "{0='x'}, {0='x'}"},
        {"ngx.re.match(\"x\", \"x\", true)",
                "! t:1: attempt to get length of local 'opts' (a boolean value)"},
        {"ngx.re.match(\"x\", \"x\", \"q\")", "! t:1: unknown flag \"q\" (flags \"q\")"},
        {"ngx.re.match(\"x\", \"x\", \"oq\")", "! t:1: unknown flag \"q\" (flags \"oq\")"},
        {"ngx.re.match(\"x\", \"x\", \"j o\")", "! t:1: unknown flag \" \" (flags \"j o\")"},
        {"ngx.re.match(\"a]\", \"[]a]\", \"J\")", "nil"},
        {"local c = {pos = \"2\"} local m, e = ngx.re.match(\"1234\", \"[0-9]+\", \"\", c) return "
         "S(m, e, c)",
                "! t:1: attempt to compare string with number"},
        {"local c = {pos = \"x\"} local m, e = ngx.re.match(\"1234\", \"[0-9]+\", \"\", c) return "
         "S(m, e, c)",
                "! t:1: attempt to compare string with number"},
        {"ngx.re.match(\"abc\", \"b\", \"\", 5)",
                "! t:1: attempt to index local 'ctx' (a number value)"},
        {"ngx.re.match(\"abc\", \"b\", \"\", \"x\")",
                "! t:1: attempt to index local 'ctx' (a string value)"},
        {"ngx.re.match(\"abc\", \"b\", \"\", nil, 5)",
                "! t:1: attempt to index local 'res' (a number value)"},
        {"ngx.re.find(\"b\", \"(a)|(b)\", \"\", nil, \"1\")",
                "! t:1: attempt to compare string with number"},
        {"local out = {} for m in ngx.re.gmatch(\"ab\\195\\169c\", \"x*\", \"u\") do out[#out + 1] "
         "= m[0] end return S(out)",
                "{1='',2='',3='',4='',5=''}"},
        {"ngx.re.gmatch(\"x\")", "! t:1: attempt to get length of local 'regex' (a nil value)"},
        {"ngx.re.sub(\"abc\", \"b\", function(m) return nil end), ngx.re.sub(\"abc\", \"b\", "
         "function(m) return 12 end), ngx.re.sub(\"abc\", \"b\", function(m) return false end), "
         "ngx.re.sub(\"abc\", \"b\", function(m) end)",
                "! ngx.re:13: bad argument #1 to 'tostring' (value expected)"},
        {"ngx.re.sub(123, 2, \"x\"), ngx.re.sub(nil, \"n\", \"x\")",
                "! t:1: attempt to get length of local 'regex' (a number value)"},
        {"ngx.re.gsub(\"a\\195\\169b\", \"\", \"-\", \"u\")", "'-a-<c3><a9>-b-', 4"},
        {"ngx.re.match(\"x\", \"\\\\g\")",
                "nil, 'pcre_compile() failed: \\g is not followed by a braced, angle-bracketed, or "
                "quoted name/number or by a plain number in \"\\g\"'"},
        {"ngx.re.match(\"x\", \"]\", \"J\")", "nil"},
        {"ngx.re.match(\"x\", \"\\\\x{12\")",
                "nil, 'pcre_compile() failed: non-hex character in \\x{} (closing brace missing?) "
                "in \"\\x{12\" at \"2\"'"},
        {"ngx.re.match(\"x\", \"a\\0b(\")", "nil, 'pcre_compile() failed: missing ) in \"a\"'"},
        {"ngx.re.match(\"a\\0b\", \"a\\0b\")", "{0='a<00>b'}"},
        {"ngx.re.match((\"a\"):rep(100000), \"(a|b)*c\", \"jo\")", "nil"},
        {"require(\"ngx.re\").split(\"abc\", \"b*\"), require(\"ngx.re\").split(\"abbc\", \"b*\"), "
         "require(\"ngx.re\").split(\"a b  c\", \"\\\\s*\")",
                "{1='a',2='c'}, {1='a',2='c'}, {1='a',2='b',3='c'}"},
        {"require(\"ngx.re\").split(\"ab,cd,ef\", \"(?=b)|,\")", "{1='a',2='b',3='cd',4='ef'}"},
        {"local c = {pos = -2} local r = require(\"ngx.re\").split(\"a,b,c,d\", \",\", nil, c) "
         "return S(r, c)",
                "{1='a',2='b',3='c',4='d'}, {pos=6}"},
        {"require(\"ngx.re\").split(\"a,b,c\", \",\", \"q\")",
                "! t:1: unknown flag \"q\" (flags \"q\")"},
        {"require(\"ngx.re\").split(\"a,b,c\", \"(,)(x)?|(y)\"), "
         "require(\"ngx.re\").split(\"a,b;c\", \"(,)|(;)\")",
                "{1='a',2=',',3='b',4=',',5='c'}, {1='a',2=',',3='b',4='c'}"},
        {"require(\"ngx.re\").split(\"a,b,c\", \",\", nil, nil, \"2\")",
                "! t:1: attempt to compare number with string"},
        {"require(\"ngx.re\").split(\"a,b,c\", \",\", nil, 5)",
                "! t:1: attempt to index local 'ctx' (a number value)"},
};

/* Errors of PCRE1's whose place or kind PCRE2 does not tell are in `wanted` too. */

static lua_State *new_vm(void)
{
	lua_State *L = lua_rows_new();

	ngx_re_open(L);
	ck_assert_int_eq(lua_gettop(L), 1);
	lua_rows_preload(L, "ngx.re", ngx_re_module);
	return L;
}

static void run(const struct lua_row *rows, size_t count)
{
	lua_State *L = new_vm();

	lua_rows_run(L, rows, count);
	lua_close(L);
}

#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

START_TEST(results_and_errors_are_those_of_ngx_lua)
{
	RUN(same);
	RUN(wanted);
}
END_TEST

/* Without option o and with it, with JIT and without: a second time gives the same. */
START_TEST(kept_patterns_give_what_fresh_ones_do)
{
	static const struct lua_row rows[] = {
	        {"local n = 0 for _, o in ipairs{'', 'o', 'j', 'jo', 'u', 'ujo', 'U', 'Ujo', 'i', "
	         "'ijo'} do "
	         "for k = 1, 3 do local m = ngx.re.match('hello, 1234', '([a-z]+), (?<x>[0-9])', "
	         "o) "
	         "if m[1] .. m.x .. m[2] == 'hello11' then n = n + 1 end "
	         "local s, c = ngx.re.gsub('a-b-c', '-', '<$0>', o) "
	         "if s == 'a<->b<->c' and c == 2 then n = n + 1 end end end return S(n)",
	                "60"},
	        /* The same pattern under other options is another. */
	        {"ngx.re.find('A', 'a', 'o'), ngx.re.find('A', 'a', 'oi'), ngx.re.find('A', 'a', "
	         "'io'), "
	         "(ngx.re.find('A', 'a', 'o'))",
	                "nil, 1, 1, nil"},
	};

	RUN(rows);
}
END_TEST

START_TEST(the_least_used_pattern_makes_room)
{
	static const struct lua_row rows[] = {
	        {"local n = 0 for i = 1, 500 do n = n + #ngx.re.match('x' .. i % 7, 'x' .. i % 7, "
	         "'jo')[0] end "
	         "return S(n)",
	                "1000"},
	        /* Pushed out while it is in use. */
	        {"ngx.re.gsub('abc', '[a-c]', function(m) for i = 1, 9 do ngx.re.find(m[0], '' .. "
	         "i, 'o') end "
	         "collectgarbage() return m[0] .. m[0] end, 'o')",
	                "'aabbcc', 3"},
	        {"local it = ngx.re.gmatch('abc', '.', 'o') it() for i = 1, 9 do ngx.re.find('x', "
	         "'' .. i, 'o') end "
	         "collectgarbage() return S(it()[0], it()[0], it())",
	                "'b', 'c', nil"},
	        /* Two use one that was pushed out; the first ends. */
	        {"local a, b = ngx.re.gmatch('xy', '(?<n>.)', 'o'), ngx.re.gmatch('xyz', "
	         "'(?<n>.)', 'o') "
	         "for i = 1, 9 do ngx.re.find('x', '' .. i, 'o') end a() a() a() collectgarbage() "
	         "return S(b().n, b().n, b().n, b())",
	                "'x', 'y', 'z', nil"},
	};

	for (uint32_t max = 0; max < 4; max++) {
		lua_State *L = new_vm();
		ngx_re_set_limits(L, (struct ngx_re_limits){.cache_max = max});
		lua_rows_run(L, rows, sizeof(rows) / sizeof(rows[0]));
		lua_close(L);
	}
}
END_TEST

START_TEST(the_match_limit_ends_what_would_not_end)
{
	static const struct lua_row rows[] = {
	        {"ngx.re.match(('a'):rep(20) .. 'b', '^(a+)+$')", "nil, 'pcre_exec() failed: -8'"},
	        {"ngx.re.find(('a'):rep(20) .. 'b', '^(a+)+$', 'jo')",
	                "nil, nil, 'pcre_exec() failed: -8'"},
	        {"ngx.re.gsub(('a'):rep(20) .. 'b', '^(a+)+$', '')",
	                "nil, nil, 'pcre_exec() failed: -8'"},
	        {"ngx.re.gsub(('a'):rep(20) .. 'b', '^(a+)+$', print)",
	                "nil, nil, 'pcre_exec() failed: -8'"},
	        {"local it = ngx.re.gmatch(('a'):rep(20) .. 'b', '^(a+)+$') local a, e = it() "
	         "return S(a, e, it())",
	                "nil, 'pcre_exec() failed: -8', nil"},
	        {"require('ngx.re').split(('a'):rep(20) .. 'b', '^(a+)+$')",
	                "nil, 'pcre_exec() failed: -8'"},
	};
	lua_State *L = new_vm();

	ngx_re_set_limits(L, (struct ngx_re_limits){.cache_max = 10, .match_limit = 1000});
	lua_rows_run(L, rows, sizeof(rows) / sizeof(rows[0]));
	lua_close(L);
}
END_TEST

/* What exhausted the stack of PCRE1, and what could that of a worker. */
START_TEST(no_pattern_exhausts_the_stack)
{
	static const struct lua_row rows[] = {
	        {"#ngx.re.match(('a'):rep(50000), '(?:(a)|b)*')[0]", "50000"},
	        {"ngx.re.match(('a'):rep(3000000), '(?:(a)|b)*')",
	                "nil, 'pcre_exec() failed: -21'"},
	        {"#ngx.re.match(('a'):rep(50000), '(?:(a)|b)*', 'j')[0]", "50000"},
	        {"local s = ('('):rep(50000) .. (')'):rep(50000) local m, e = ngx.re.match(s, "
	         "'\\\\((?R)*\\\\)') "
	         "return S(m and #m[0] or e)",
	                "100000"},
	        {"local s = ('('):rep(50000) .. (')'):rep(50000) "
	         "local m, e = ngx.re.match(s, '\\\\((?R)*\\\\)', 'd') return S(m and #m[0] or e)",
	                "'pcre_exec() failed: -21'"},
	        {"local s = ('('):rep(50) .. (')'):rep(50) "
	         "local m, e = ngx.re.match(s, '\\\\((?R)*\\\\)', 'd') return S(m and #m[0] or e)",
	                "100"},
	        {"local p = ('('):rep(240) .. 'a' .. (')'):rep(240) "
	         "return S(#ngx.re.match('a', p, 'jo'), #ngx.re.match('a', p))",
	                "240, 240"},
	        {"local p = ('(a)'):rep(60000) local m, e = ngx.re.match('a', p) return S(m, #e)",
	                "nil, 127"},
	        {"local p = ('(a)?'):rep(3000) local m, e = ngx.re.match('aa', p) return S(#m, "
	         "m[2], m[3])",
	                "3000, 'a', false"},
	        {"ngx.re.match('x', '(?:a{0,1000}){0,1000}') ", "{0=''}"},
	        {"local p = ('(?=a'):rep(200) .. (')'):rep(200) "
	         "return S(ngx.re.find('a', p), ngx.re.find('a', p, 'd'), (ngx.re.find('a', p, "
	         "'jo')))",
	                "nil, nil, nil"},
	};

	RUN(rows);
}
END_TEST

/* A function that replaces may wait, use ngx.re itself, and fail. */
START_TEST(a_replacing_function_is_like_any_other)
{
	static const struct lua_row rows[] = {
	        {"local co = coroutine.wrap(function() return ngx.re.gsub('a1b2', '[0-9]', "
	         "function(m) return coroutine.yield(m[0]) end) end) return S(co(), co('x'), "
	         "co('yy'))",
	                "'1', '2', 'axbyy', 2"},
	        {"ngx.re.gsub('a\\195\\169b', '', function() return '-' end, 'u')",
	                "'-a-<c3><a9>-b-', 4"},
	        {"ngx.re.gsub('abc', 'x*', function(m) return ngx.re.sub('q', 'q', 'r', 'o') end, "
	         "'o')",
	                "'rarbrcr', 4"},
	        {"pcall(ngx.re.gsub, 'abc', 'b', function() error({}) end)", "false, {}"},
	        {"ngx.re.sub(setmetatable({}, {__tostring = function() return 'hey' end}), 'e', "
	         "print and 'E')",
	                "'hEy', 1"},
	        {"ngx.re.gsub(12, '1', function(m) return m[0] + 1 end)", "'22', 1"},
	};

	RUN(rows);
}
END_TEST

/* A finalizer that matches while results are made must not change them. */
START_TEST(matches_inside_of_collections_change_nothing)
{
	static const struct lua_row rows[] = {
	        {"local bad = 0 collectgarbage('setpause', 1) for i = 1, 3000 do "
	         "local p = newproxy(true) getmetatable(p).__gc = function() "
	         "ngx.re.match('zzzzzz', '(z)(z)(z)') end "
	         "p = nil local m = ngx.re.match('abcdef', '(a)(b)(c)(d)', i % 2 == 0 and 'jo' or "
	         "'') "
	         "if m[1] .. m[2] .. m[3] .. m[4] ~= 'abcd' then bad = bad + 1 end end return "
	         "S(bad)",
	                "0"},
	        /* Not even one that uses the same iterator. */
	        {"local bad = 0 collectgarbage('setpause', 1) for i = 1, 3000 do "
	         "local it = ngx.re.gmatch('abab', '(?<x>a)(?<y>b)') "
	         "local p = newproxy(true) getmetatable(p).__gc = function() while it() do end end "
	         "p = nil "
	         "local m = it() if m and m.x .. m.y ~= 'ab' then bad = bad + 1 end end return "
	         "S(bad)",
	                "0"},
	};

	RUN(rows);
}
END_TEST

/* FAULTS: memory that is short gives an error, never a crash or a leak. */
START_TEST(short_memory_is_an_error)
{
	static const char *const calls =
	        "local ok = 0 for _, o in ipairs{'', 'j', 'jo', 'd', 'u'} do for i = 1, 3 do "
	        "local m, e = ngx.re.match('abcabc', '(a)(?<n>b)' .. i % 2, o) "
	        "local s, c, e2 = ngx.re.gsub('abc', '[a-c]', '$0$0', o) "
	        "assert(m == nil and (e == nil or e:find('memory') or e:find('-6'))) "
	        "assert(s == 'aabbcc' or e2:find('memory') or e2:find('-6'), e2) ok = ok + 1 end "
	        "end return S(ok)";
	const struct lua_row row = {calls, "15"};
	char plan[40];

	for (int nth = 1; nth < 60; nth++) {
		lua_State *L = new_vm();
		snprintf(plan, sizeof(plan), "alloc:%d:ENOMEM:%d", nth, 1 + nth % 3);
		ck_assert(fault_plan(plan));
		lua_rows_run(L, &row, 1);
		fault_plan(NULL);
		lua_close(L);
	}
}
END_TEST

/* Patterns, subjects and options at random: no crash, and places that lie in the subject. */
START_TEST(nothing_at_random_breaks_it)
{
	static const struct lua_row rows[] = {
	        {"local seed = 42 local function rnd(n) seed = (seed * 1103515245 + 12345) % "
	         "2147483648 "
	         "return math.floor(seed / 65536) % n end "
	         "local parts = {'a', 'b', '(', ')', '(?:', '|', '*', '+', '?', '{1,3}', '[', ']', "
	         "'^', '$', '.', "
	         "'\\\\b', '\\\\K', '\\\\C', '\\\\G', '(?=', '(?!', '(?<=', '(?<n>', '\\195\\169', "
	         "'\\255', '\\\\1', "
	         "'(?R)', '(?1)', '\\\\w', '(*SKIP)', '(*ACCEPT)', '(?i)', '\\0', '\\\\x{e9}', "
	         "'(?(1)'} "
	         "local opts = {'', 'j', 'u', 'ju', 'U', 'jU', 'd', 'du', 'dU', 'i', 'ms', 'x', "
	         "'a', 'D', 'J', 'jo'} "
	         "local subjects = {'', 'ab', 'aabb\\195\\169', '\\255\\254a', 'a\\0b', "
	         "('ab'):rep(50)} "
	         "for i = 1, 20000 do local p = {} for k = 1, 1 + rnd(8) do p[k] = parts[1 + "
	         "rnd(#parts)] end "
	         "p = table.concat(p) local s, o = subjects[1 + rnd(#subjects)], opts[1 + "
	         "rnd(#opts)] "
	         "local c = {pos = rnd(8)} local f, t = ngx.re.find(s, p, o, c) "
	         "if f then assert(f >= 1 and t <= #s and f <= t + 1) end "
	         "ngx.re.match(s, p, o) local r, n, e = ngx.re.gsub(s, p, '<$0$1>', o) assert(r or "
	         "e) "
	         "local n = 0 local it = ngx.re.gmatch(s, p, o) while it and it() do n = n + 1 "
	         "assert(n < 300) end "
	         "require('ngx.re').split(s, p, o) end return S('done')",
	                "'done'"},
	};
	lua_State *L = new_vm();

	ngx_re_set_limits(L, (struct ngx_re_limits){.cache_max = 5, .match_limit = 5000});
	lua_rows_run(L, rows, 1);
	lua_close(L);
}
END_TEST

START_TEST(the_jit_stack_is_set_before_patterns_are_kept)
{
	static const struct lua_row rows[] = {
	        {"require('ngx.re').opt('jit_stack_size', 128 * 1024)", "-"},
	        {"require('ngx.re').opt('jit_stack_size', 1)", "-"},
	        {"require('ngx.re').opt('jit_stack_size', -1)",
	                "! t:1: PCRE jit stack allocation failed"},
	        {"require('ngx.re').opt('jit_stack_size', 2^40)",
	                "! t:1: PCRE jit stack allocation failed"},
	        {"require('ngx.re').opt('jit_stack_size', 0/0)",
	                "! t:1: PCRE jit stack allocation failed"},
	        {"#ngx.re.match(('a'):rep(20000), '(?:(a)|b)*', 'j')[0]", "20000"},
	        {"ngx.re.match(('a'):rep(3000000), '(?:(a)|b)*', 'j')",
	                "nil, 'pcre_exec() failed: -21'"},
	};

	RUN(rows);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua_ngx_re");
	TCase *tc = tcase_create("re");
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, results_and_errors_are_those_of_ngx_lua);
	tcase_add_test(tc, kept_patterns_give_what_fresh_ones_do);
	tcase_add_test(tc, the_least_used_pattern_makes_room);
	tcase_add_test(tc, the_match_limit_ends_what_would_not_end);
	tcase_add_test(tc, no_pattern_exhausts_the_stack);
	tcase_add_test(tc, a_replacing_function_is_like_any_other);
	tcase_add_test(tc, matches_inside_of_collections_change_nothing);
	tcase_add_test(tc, short_memory_is_an_error);
	tcase_add_test(tc, nothing_at_random_breaks_it);
	tcase_add_test(tc, the_jit_stack_is_set_before_patterns_are_kept);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
