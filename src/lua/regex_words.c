/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/regex_words.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

static const struct {
	int code;
	const char *words;
} words[] = {
        {107, "invalid escape sequence in character class"}, {109, "nothing to repeat"},
        {114, "missing )"}, {118, "missing ) after comment"},
        {119, "parentheses are too deeply nested"}, {121, "failed to get memory"},
        {122, "unmatched parentheses"}, {124, "missing )"},
        {126, "a numbered reference must not be zero"}, {129, "digit expected after (?+"},
        {132, "this version of PCRE is compiled without UTF support"},
        {133, "parentheses are too deeply nested (stack check)"},
        {134, "character value in \\x{} or \\o{} is too large"},
        {136, "\\C not allowed in lookbehind assertion"},
        {137, "PCRE does not support \\L, \\l, \\N{name}, \\U, or \\u"},
        {138, "number after (?C is > 255"}, {139, "closing ) for (?C expected"},
        {140, "(*VERB) not recognized or malformed"},
        {142, "syntax error in subpattern name (missing terminator)"},
        {143, "two named subpatterns have the same name"},
        {144, "group name must start with a non-digit"},
        {147, "unknown property name after \\P or \\p"},
        {148, "subpattern name is too long (maximum 32 characters)"},
        {149, "too many named subpatterns (maximum 10000)"},
        {150, "invalid range in character class"},
        {151, "octal value is greater than \\377 in 8-bit non-UTF-8 mode"},
        {158, "(?R or (?[+-]digits must be followed by )"}, {161, "number is too big"},
        {164, "non-octal character in \\o{} (closing brace missing?)"},
        {167, "non-hex character in \\x{} (closing brace missing?)"},
        {168, "\\c must be followed by an ASCII character"},
        {174, "setting UTF is disabled by the application"},
        {177, "character value in \\u.... sequence is too large"},
        {184, "parentheses are too deeply nested"}, {186, "regular expression is too large"},
        {193, "PCRE does not support \\L, \\l, \\N{name}, \\U, or \\u"},
        {194, "unrecognized character after (? or (?-"},
        {195, "unrecognized character after (? or (?-"},
        {111, "unrecognized character after (? or (?-"},
        {128, "assertion expected after (?( or (?(?C)"}, {141, "unrecognized character after (?P"},
        {1124, "unrecognized character after (?<"}, /* PCRE2 has no such error */
};

/* Words of what PCRE1 complains of where PCRE2 only misses a parenthesis. */
enum { OPTION = 111, AFTER_ANGLE = 124 + 1000, AFTER_P = 141, ASSERTION = 128 };

/* What a pattern that ends too early was about to say. */
static int at_the_end(struct slice pattern)
{
	size_t i = pattern.len;

	while (i > 0 && memchr("imsxnJ-", pattern.at[i - 1], 7))
		i--;
	if (i >= 2 && pattern.at[i - 1] == '?' && pattern.at[i - 2] == '(')
		return OPTION;
	if (pattern.len >= 3 && memcmp(pattern.at + pattern.len - 3, "(?P", 3) == 0)
		return AFTER_P;
	if (pattern.len >= 3 && memcmp(pattern.at + pattern.len - 3, "(?(", 3) == 0)
		return ASSERTION;
	return 114;
}

/* Where the group that begins at `at` is closed; the pattern's end when it is not. */
static size_t closing(struct slice pattern, size_t at)
{
	size_t depth = 0;
	bool in_class = false;

	for (size_t i = at; i < pattern.len; i++) {
		uint8_t c = pattern.at[i];
		if (c == '\\')
			i++;
		else if (c == ']')
			in_class = false;
		else if (in_class)
			continue;
		else if (c == '[')
			in_class = true;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return i;
	}
	return pattern.len;
}

/* A reference to a group that there is not: PCRE1 notices a number behind a backslash only at the
 * end, anything else behind it. */
static size_t behind_reference(struct slice pattern, size_t at)
{
	if (at > 0 && at < pattern.len && pattern.at[at - 1] == '\\')
		return pattern.len;
	bool condition = at < pattern.len && pattern.at[at] == '(';
	while (at < pattern.len && pattern.at[at] != ')' && pattern.at[at] != '}')
		at++;
	return at + (condition && at < pattern.len);
}

static size_t place(int code, struct slice pattern, size_t at)
{
	switch (code) {
	case 115:
		return behind_reference(pattern, at);
	case 125:
		return closing(pattern, at);
	case 128:
	case 194:
		return at < pattern.len ? at + 1 : at;
	case 137: /* PCRE1 points at the letter behind a backslash, PCRE2 behind the letter */
	case 143:
	case 147:
	case 151:
	case 155:
	case 169:
	case 171:
	case 193:
		return at > 0 ? at - 1 : at;
	default:
		return at;
	}
}

const char *regex_compile_words(int code, struct slice pattern, size_t *at)
{
	if (code < 0)
		return "invalid UTF-8 string";
	*at = *at < pattern.len ? *at : pattern.len;
	*at = place(code, pattern, *at);
	if (code == 114 && *at == pattern.len)
		code = at_the_end(pattern);
	if (code == 162 && *at >= 3 && memcmp(pattern.at + *at - 3, "(?<", 3) == 0)
		code = AFTER_ANGLE;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].code == code)
			return words[i].words;
	}
	return NULL;
}

int regex_exec_code(int code)
{
	static const struct {
		int now, then;
	} codes[] = {
	        {PCRE2_ERROR_NOMATCH, -1},
	        {PCRE2_ERROR_NULL, -2},
	        {PCRE2_ERROR_BADOPTION, -3},
	        {PCRE2_ERROR_BADMAGIC, -4},
	        {PCRE2_ERROR_NOMEMORY, -6},
	        {PCRE2_ERROR_MATCHLIMIT, -8},
	        {PCRE2_ERROR_CALLOUT, -9},
	        {PCRE2_ERROR_BADUTFOFFSET, -11},
	        {PCRE2_ERROR_PARTIAL, -12},
	        {PCRE2_ERROR_DFA_UITEM, -16},
	        {PCRE2_ERROR_DFA_UCOND, -17},
	        {PCRE2_ERROR_DFA_WSSIZE, -19},
	        {PCRE2_ERROR_DFA_RECURSE, -20},
	        {PCRE2_ERROR_DEPTHLIMIT, -21},
	        {PCRE2_ERROR_HEAPLIMIT, -21},
	        {PCRE2_ERROR_BADOFFSET, -24},
	        {PCRE2_ERROR_RECURSELOOP, -26},
	        {PCRE2_ERROR_JIT_STACKLIMIT, -27},
	        {PCRE2_ERROR_BADMODE, -28},
	        {PCRE2_ERROR_DFA_BADRESTART, -30},
	        {PCRE2_ERROR_JIT_BADOPTION, -31},
	};

	if (code <= PCRE2_ERROR_UTF8_ERR1 && code >= PCRE2_ERROR_UTF8_ERR21)
		return -10;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].now == code)
			return codes[i].then;
	}
	return -14; /* an error inside PCRE */
}
