/* SPDX-License-Identifier: BSD-2-Clause */
#include "http/chars.h"

#define ALNUM (CHAR_TOKEN | CHAR_TARGET | CHAR_UNRESERVED | CHAR_NAME | CHAR_BASE64)
#define MARK  (CHAR_TOKEN | CHAR_TARGET | CHAR_UNRESERVED | CHAR_NAME)
#define DELIM (CHAR_TOKEN | CHAR_TARGET | CHAR_NAME)
#define PLAIN (CHAR_TOKEN | CHAR_TARGET)
#define GROUP (CHAR_TARGET | CHAR_NAME)

/* clang-format off */
const uint8_t http_chars[256] = {
	['0'] = ALNUM, ['1'] = ALNUM, ['2'] = ALNUM, ['3'] = ALNUM, ['4'] = ALNUM,
	['5'] = ALNUM, ['6'] = ALNUM, ['7'] = ALNUM, ['8'] = ALNUM, ['9'] = ALNUM,
	['A'] = ALNUM, ['B'] = ALNUM, ['C'] = ALNUM, ['D'] = ALNUM, ['E'] = ALNUM, ['F'] = ALNUM,
	['G'] = ALNUM, ['H'] = ALNUM, ['I'] = ALNUM, ['J'] = ALNUM, ['K'] = ALNUM, ['L'] = ALNUM,
	['M'] = ALNUM, ['N'] = ALNUM, ['O'] = ALNUM, ['P'] = ALNUM, ['Q'] = ALNUM, ['R'] = ALNUM,
	['S'] = ALNUM, ['T'] = ALNUM, ['U'] = ALNUM, ['V'] = ALNUM, ['W'] = ALNUM, ['X'] = ALNUM,
	['Y'] = ALNUM, ['Z'] = ALNUM,
	['a'] = ALNUM, ['b'] = ALNUM, ['c'] = ALNUM, ['d'] = ALNUM, ['e'] = ALNUM, ['f'] = ALNUM,
	['g'] = ALNUM, ['h'] = ALNUM, ['i'] = ALNUM, ['j'] = ALNUM, ['k'] = ALNUM, ['l'] = ALNUM,
	['m'] = ALNUM, ['n'] = ALNUM, ['o'] = ALNUM, ['p'] = ALNUM, ['q'] = ALNUM, ['r'] = ALNUM,
	['s'] = ALNUM, ['t'] = ALNUM, ['u'] = ALNUM, ['v'] = ALNUM, ['w'] = ALNUM, ['x'] = ALNUM,
	['y'] = ALNUM, ['z'] = ALNUM,
	['-'] = MARK, ['.'] = MARK | CHAR_LAX, ['_'] = MARK | CHAR_LAX, ['~'] = MARK,
	['!'] = DELIM, ['$'] = DELIM, ['&'] = DELIM, ['\''] = DELIM, ['*'] = DELIM,
	['+'] = DELIM | CHAR_BASE64,
	['%'] = PLAIN, ['^'] = PLAIN, ['`'] = PLAIN, ['|'] = PLAIN,
	['#'] = CHAR_TOKEN,
	['('] = GROUP, [')'] = GROUP, [';'] = GROUP, ['='] = GROUP,
	['/'] = CHAR_TARGET | CHAR_BASE64,
	['"'] = CHAR_TARGET, [','] = CHAR_TARGET, [':'] = CHAR_TARGET, ['<'] = CHAR_TARGET,
	['>'] = CHAR_TARGET, ['?'] = CHAR_TARGET, ['@'] = CHAR_TARGET, ['['] = CHAR_TARGET,
	['\\'] = CHAR_TARGET, [']'] = CHAR_TARGET, ['{'] = CHAR_TARGET, ['}'] = CHAR_TARGET,
};
