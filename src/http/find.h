/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The search that parsing a head spends its time in, in vectors. Any thread. */

#include <stddef.h>
#include <stdint.h>

/* The first byte in at .. end - 1 that is a control character other than the
 * horizontal tab: 0x00-0x08, 0x0a-0x1f, 0x7f. Returns end when there is none. */
const uint8_t *http_find_control(const uint8_t *at, const uint8_t *end);

/* The forms it is made of, for the tests; those this processor cannot run are
 * left out. The list ends with a NULL function; the first is the scalar form. */
typedef const uint8_t *(*http_find_fn)(const uint8_t *at, const uint8_t *end);
struct http_find_form {
	const char *name;
	http_find_fn find;
};
void http_find_forms(struct http_find_form out[4]);
