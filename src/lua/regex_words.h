/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What PCRE1 says where PCRE2 says something else. Pure; any thread. */

#include "base/slice.h"

/* The words for an error of pcre2_compile(), NULL when PCRE2's own are the same; and moves *at to
 * where PCRE1 finds it, as far as that is not far from where PCRE2 does. */
const char *regex_compile_words(int code, struct slice pattern, size_t *at);
/* PCRE1's number for an error of pcre2_match() or pcre2_dfa_match(). */
int regex_exec_code(int code);
