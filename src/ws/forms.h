/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Private to ws/ and its tests: the forms in which masking and UTF-8 validation
 * exist. The last form of a table that the processor supports is the one used;
 * the first is the scalar one, supported everywhere. Keys are words (word.h). */

#include "ws/utf8.h"

struct ws_mask_form {
	const char *name; /* NULL ends the table */
	bool (*is_supported)(void);
	void (*run)(uint8_t *buf, size_t len, uint32_t key);
};
extern const struct ws_mask_form ws_mask_forms[];

struct utf8_form {
	const char *name; /* NULL ends the table */
	bool (*is_supported)(void);
	/* buf begins at the border of a character. Returns the length of a front
	 * part that is sound and ends at a border: all but an unfinished last
	 * character when there is no fault; a near place before it when there is
	 * one; 0 when the text is too short to be worth it. */
	size_t (*sound)(const uint8_t *buf, size_t len, uint32_t key);
};
extern const struct utf8_form utf8_forms[];

/* utf8_check_masked() with a key that begins at buf; and that by a given form. */
utf8_state utf8_check_word(utf8_state state, const uint8_t *buf, size_t len, uint32_t key);
utf8_state utf8_check_form(const struct utf8_form *form, utf8_state state, const uint8_t *buf,
        size_t len, uint32_t key);
