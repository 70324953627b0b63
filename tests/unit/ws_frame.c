/* SPDX-License-Identifier: BSD-2-Clause */
#include "ws/frame.h"

#include "ws/mask.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Parses a copy in a block of just that size. */
static ssize_t parse(struct ws_frame *f, const uint8_t *buf, size_t len)
{
	uint8_t *exact = malloc(len + (len == 0));
	memcpy(exact, buf, len);
	ssize_t used = ws_frame_parse(f, exact, len);
	free(exact);
	return used;
}

/* The outcome for all of buf, and for each part of it: 0 until `found` bytes are
 * there, the outcome from then on. */
static void expect(const uint8_t *buf, size_t len, size_t found, ssize_t outcome)
{
	struct ws_frame f;
	for (size_t n = 0; n <= len; n++)
		ck_assert_int_eq(parse(&f, buf, n), n < found ? 0 : outcome);
}

/* F-01, F-02 */
START_TEST(every_first_byte_with_and_without_mask)
{
	for (unsigned first = 0; first < 256; first++)
		for (unsigned masked = 0; masked <= 0x80; masked += 0x80) {
			uint8_t buf[] = {
			        (uint8_t)first, (uint8_t)(masked | 3), 1, 2, 3, 4, 'a', 'b', 'c'};
			unsigned opcode = first & 15;
			bool is_known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
			size_t whole = masked ? 6 : 2;
			if (first & 0x70)
				expect(buf, sizeof(buf), 1, -WS_ERR_RESERVED_BITS);
			else if (!is_known)
				expect(buf, sizeof(buf), 1, -WS_ERR_OPCODE);
			else if (opcode >= 8 && !(first & 0x80))
				expect(buf, sizeof(buf), 1, -WS_ERR_CONTROL_FRAGMENT);
			else
				expect(buf, sizeof(buf), whole, (ssize_t)whole);
		}
}
END_TEST

START_TEST(fields)
{
	static const uint8_t masked[] = {0x09, 0xfe, 0x12, 0x34, 1, 2, 3, 4};
	struct ws_frame f;
	uint8_t buf[8];
	memcpy(buf, masked, sizeof(buf));
	buf[0] = 0x01;
	ck_assert_int_eq(parse(&f, buf, 8), 8);
	ck_assert(!f.fin && f.masked && f.opcode == WS_TEXT && f.header_len == 8);
	ck_assert_uint_eq(f.len, 0x1234);
	ck_assert_mem_eq(f.key, masked + 4, 4);
	ck_assert_int_eq(parse(&f, (const uint8_t[]){0x8a, 5}, 2), 2);
	ck_assert(f.fin && !f.masked && f.opcode == WS_PONG && f.header_len == 2 && f.len == 5);
}
END_TEST

static size_t header(uint8_t *out, uint8_t first, unsigned form, uint64_t len)
{
	unsigned bytes = form == 127 ? 8 : form == 126 ? 2 : 0;
	out[0] = first;
	out[1] = (uint8_t)(bytes ? form : len);
	for (unsigned i = 0; i < bytes; i++)
		out[2 + i] = (uint8_t)(len >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}

/* F-05, F-06 */
START_TEST(length_forms)
{
	static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, UINT64_C(1) << 31,
	        INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (unsigned form = 125; form <= 127; form++) {
			uint64_t len = lengths[i];
			uint8_t buf[WS_HEADER_MAX];
			if ((form == 125 && len > 125) || (form == 126 && len > 65535))
				continue;
			size_t n = header(buf, 0x82, form, len);
			if (len > INT64_MAX)
				expect(buf, n, 3, -WS_ERR_LENGTH);
			else if (form == 126 && len < 126)
				expect(buf, n, 4, -WS_ERR_LENGTH_FORM);
			else if (form == 127 && len < 65536)
				expect(buf, n, 8, -WS_ERR_LENGTH_FORM);
			else
				expect(buf, n, n, (ssize_t)n);
			buf[1] |= 0x80;
			memset(buf + n, 0, sizeof(buf) - n);
			struct ws_frame f = {.len = 1};
			if (parse(&f, buf, n + 4) > 0)
				ck_assert_uint_eq(f.len, len);
		}
}
END_TEST

/* F-14 */
START_TEST(control_lengths)
{
	uint8_t buf[WS_HEADER_MAX];
	for (uint8_t opcode = WS_CLOSE; opcode <= WS_PONG; opcode++) {
		expect(buf, header(buf, 0x80 | opcode, 125, 125), 2, 2);
		expect(buf, header(buf, 0x80 | opcode, 126, 126), 2, -WS_ERR_CONTROL_LENGTH);
		expect(buf, header(buf, 0x80 | opcode, 126, 1), 2, -WS_ERR_CONTROL_LENGTH);
		expect(buf, header(buf, 0x80 | opcode, 127, 1 << 20), 2, -WS_ERR_CONTROL_LENGTH);
		ssize_t one = opcode == WS_CLOSE ? -WS_ERR_CLOSE_LENGTH : 2;
		expect(buf, header(buf, 0x80 | opcode, 125, 1), 2, one);
	}
}
END_TEST

START_TEST(written_headers_parse_again)
{
	static const uint64_t lengths[] = {0, 1, 125, 126, 65535, 65536, INT64_MAX};
	static const uint8_t opcodes[] = {WS_CONTINUATION, WS_TEXT, WS_BINARY};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (unsigned n = 0; n < 12; n++) {
			struct ws_frame got, f = {.len = lengths[i],
			                             .opcode = opcodes[n / 4],
			                             .fin = n & 1,
			                             .masked = n & 2,
			                             .key = {9, 8, 7, 6}};
			uint8_t buf[WS_HEADER_MAX];
			size_t len = ws_frame_write(buf, &f);
			ck_assert_int_eq(parse(&got, buf, len), (ssize_t)len);
			ck_assert_uint_eq(got.header_len, len);
			ck_assert_uint_eq(got.len, f.len);
			ck_assert(got.opcode == f.opcode && got.fin == f.fin &&
			          got.masked == f.masked);
			ck_assert(!f.masked || !memcmp(got.key, f.key, 4));
		}
}
END_TEST

/* Takes a written control frame apart; returns its payload's length. */
static size_t unwrap(uint8_t *buf, size_t len, uint8_t opcode, bool masked, uint8_t **payload)
{
	struct ws_frame f;
	ck_assert_int_gt(parse(&f, buf, len), 0);
	ck_assert_uint_eq(f.header_len + f.len, len);
	ck_assert(f.fin && f.opcode == opcode && f.masked == masked);
	*payload = buf + f.header_len;
	if (masked)
		ws_mask(*payload, (size_t)f.len, f.key, 0);
	return (size_t)f.len;
}

START_TEST(control_frames)
{
	uint8_t payload[WS_CONTROL_MAX], buf[WS_CONTROL_FRAME_MAX], *got;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 3);
	for (size_t len = 0; len <= sizeof(payload); len++)
		for (int masked = 0; masked < 2; masked++) {
			size_t n =
			        ws_control_write(buf, WS_PING, len ? payload : NULL, len, masked);
			ck_assert_uint_eq(unwrap(buf, n, WS_PING, masked, &got), len);
			ck_assert(len == 0 || !memcmp(got, payload, len));
		}
}
END_TEST

START_TEST(keys_are_fresh)
{
	uint8_t a[WS_CONTROL_FRAME_MAX], b[WS_CONTROL_FRAME_MAX];
	int same = 0;
	for (int i = 0; i < 4; i++) {
		ws_control_write(a, WS_PONG, "x", 1, true);
		ws_control_write(b, WS_PONG, "x", 1, true);
		same += !memcmp(a + 2, b + 2, 4);
	}
	ck_assert_int_lt(same, 4);
}
END_TEST

START_TEST(close_frames)
{
	uint8_t buf[WS_CONTROL_FRAME_MAX], *got;
	for (int masked = 0; masked < 2; masked++) {
		ck_assert_uint_eq(unwrap(buf, ws_close_write(buf, 0, "not sent", masked), WS_CLOSE,
		                          masked, &got),
		        0);
		ck_assert_uint_eq(unwrap(buf, ws_close_write(buf, 1001, NULL, masked), WS_CLOSE,
		                          masked, &got),
		        2);
		ck_assert_mem_eq(got, "\x03\xe9", 2);
		ck_assert_uint_eq(unwrap(buf, ws_close_write(buf, 1008, "policy", masked), WS_CLOSE,
		                          masked, &got),
		        8);
		ck_assert_mem_eq(got, "\x03\xf0policy", 8);
	}
}
END_TEST

START_TEST(a_long_close_reason_is_cut_at_a_character)
{
	/* The 124th byte is each byte of a 4-byte character in turn. */
	for (size_t lead = 0; lead < 5; lead++) {
		char reason[160];
		memset(reason, 'r', sizeof(reason) - 1);
		reason[sizeof(reason) - 1] = 0;
		memcpy(reason + 119 + lead, "\xf0\x9f\x99\x82", 4);
		uint8_t buf[WS_CONTROL_FRAME_MAX], *got;
		size_t n = unwrap(
		        buf, ws_close_write(buf, 1000, reason, false), WS_CLOSE, false, &got);
		ck_assert_uint_eq(n - 2, lead == 0 || lead == 4 ? 123 : 119 + lead);
		ck_assert_mem_eq(got + 2, reason, n - 2);
	}
}
END_TEST

START_TEST(close_codes)
{
	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		bool is_valid = (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) ||
		                (code >= 3000 && code <= 4999);
		ck_assert(ws_close_code_is_valid((uint16_t)code) == is_valid);
	}
}
END_TEST

START_TEST(errors_have_a_code_and_a_reason)
{
	for (enum ws_error e = WS_ERR_RESERVED_BITS; e <= WS_ERR_UTF8; e++) {
		uint16_t code = 1002;
		if (e == WS_ERR_UTF8)
			code = 1007;
		if (e == WS_ERR_FRAGMENTS)
			code = 1008;
		if (e == WS_ERR_FRAME_SIZE || e == WS_ERR_MESSAGE_SIZE)
			code = 1009;
		ck_assert_uint_eq(ws_error_code(e), code);
		ck_assert_uint_gt(strlen(ws_error_reason(e)), 5);
		for (enum ws_error other = WS_OK; other < e; other++)
			ck_assert_str_ne(ws_error_reason(e), ws_error_reason(other));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ws_frame");
	TCase *c = tcase_create("frame");
	tcase_set_timeout(c, 30);
	tcase_add_test(c, every_first_byte_with_and_without_mask);
	tcase_add_test(c, fields);
	tcase_add_test(c, length_forms);
	tcase_add_test(c, control_lengths);
	tcase_add_test(c, written_headers_parse_again);
	tcase_add_test(c, control_frames);
	tcase_add_test(c, keys_are_fresh);
	tcase_add_test(c, close_frames);
	tcase_add_test(c, a_long_close_reason_is_cut_at_a_character);
	tcase_add_test(c, close_codes);
	tcase_add_test(c, errors_have_a_code_and_a_reason);
	suite_add_tcase(suite, c);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
