/* SPDX-License-Identifier: BSD-2-Clause */

/* PROXY protocol headers: every split point, every refusal, both writers. */

#include "net/proxy_header.h"

#include <check.h>
#include <stdlib.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* The verdict on the first `len` bytes, in memory that ends with them. */
static ssize_t parse_exact(struct proxy_header *h, const void *bytes, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	if (len)
		memcpy(exact, bytes, len);
	ssize_t n = proxy_header_parse(h, exact, len);
	free(exact);
	return n;
}

/* Good: unfinished up to its last byte, then used whole, whatever follows. */
static struct proxy_header accepted(const void *bytes, size_t len)
{
	struct proxy_header h, again;
	uint8_t longer[PROXY_HEADER_MAX + 200];
	for (size_t n = 0; n < len; n++)
		ck_assert_msg(parse_exact(&h, bytes, n) == 0, "at %zu of %zu", n, len);
	ck_assert_int_eq(parse_exact(&h, bytes, len), (ssize_t)len);
	memcpy(longer, bytes, len);
	for (int byte = 0; byte < 256; byte += 5) {
		memset(longer + len, byte, 150);
		ck_assert_int_eq(parse_exact(&again, longer, len + 150), (ssize_t)len);
		ck_assert(again.is_told == h.is_told);
		ck_assert(address_brief_equal(&again.source, &h.source));
	}
	return h;
}

/* Bad: unfinished up to some byte, and refused so from there on. */
static void refuse(const void *bytes, size_t len, enum proxy_header_error error)
{
	struct proxy_header h;
	ssize_t verdict = 0;
	for (size_t n = 0; n <= len; n++) {
		ssize_t now = parse_exact(&h, bytes, n);
		ck_assert_msg(now <= 0 && (verdict == 0 || now == verdict), "at %zu: %zd", n, now);
		verdict = now;
	}
	ck_assert_msg(verdict == -(ssize_t)error, "%zd, wanted -%d: %.*s", verdict, error, (int)len,
	        (const char *)bytes);
	ck_assert_uint_gt(strlen(proxy_header_reason(error)), 0);
}

static void text_is(const struct address_brief *a, const char *want)
{
	char text[ADDRESS_TEXT_MAX];
	ck_assert_str_eq(address_brief_text(a, text), want);
}

static void line_tells(const char *line, const char *source, const char *destination)
{
	struct proxy_header h = accepted(line, strlen(line));
	ck_assert(h.is_told);
	text_is(&h.source, source);
	text_is(&h.destination, destination);
}

START_TEST(test_line_tells_addresses)
{
	line_tells("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1:56324",
	        "198.51.100.2:443");
	line_tells("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
	        "255.255.255.255:65535", "255.255.255.255:65535");
	line_tells("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0:0", "0.0.0.0:0");
	line_tells("PROXY TCP6 2001:db8::1 ::1 1 80\r\n", "[2001:db8::1]:1", "[::1]:80");
	line_tells("PROXY TCP6 2001:DB8:0:0:0:0:0:1 :: 1 80\r\n", "[2001:db8::1]:1", "[::]:80");
	line_tells("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n",
	        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535");
	line_tells("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 80\r\n", "[::ffff:192.0.2.1]:1", "[::1]:80");
}
END_TEST

START_TEST(test_unknown_line_tells_nothing)
{
	static const char nul[] = "PROXY UNKNOWN a\0b\r\n";
	char longest[108];
	ck_assert(!accepted("PROXY UNKNOWN\r\n", 15).is_told);
	ck_assert(!accepted("PROXY UNKNOWN \r\n", 16).is_told);
	ck_assert(!accepted("PROXY UNKNOWN 1.2.3.4 x  y 99999\r\n", 34).is_told);
	ck_assert(!accepted(nul, sizeof nul - 1).is_told);
	memset(longest, 'f', sizeof longest);
	memcpy(longest, "PROXY UNKNOWN ", 14);
	memcpy(longest + 105, "\r\n", 2);
	ck_assert(!accepted(longest, 107).is_told);
	memcpy(longest + 105, "f\r\n", 3);
	refuse(longest, 108, PROXY_HEADER_LINE_SIZE);
}
END_TEST

START_TEST(test_bad_lines)
{
	static const char *const lines[] = {
	        "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4  1 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1  2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
	        "PROXY TCP4 1.2.3.4\r\n",
	        "PROXY TCP4 \r\n",
	        "PROXY TCP4\r\n",
	        "PROXY \r\n",
	        "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 1.2.3.4.5 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 0x1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 ::1 ::1 1 2\r\n",
	        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP6 ::1 1.2.3.4 1 2\r\n",
	        "PROXY TCP6 ::1%lo ::1 1 2\r\n",
	        "PROXY TCP6 [::1] ::1 1 2\r\n",
	        "PROXY TCP6 1::2::3 ::1 1 2\r\n",
	        "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 100000\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2x\r\n",
	        "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
	        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rx",
	        "PROXY UNKNOWN\n",
	        "PROXY UNKNOWN a\rb\r\n",
	        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
	        "PROXY UNKNOWNS\r\n",
	};
	static const char nul[] = "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n";
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		refuse(lines[i], strlen(lines[i]), PROXY_HEADER_LINE);
	refuse(nul, sizeof nul - 1, PROXY_HEADER_LINE);
}
END_TEST

START_TEST(test_endless_lines)
{
	char line[300];
	memset(line, '1', sizeof line);
	memcpy(line, "PROXY TCP4 ", 11);
	refuse(line, sizeof line, PROXY_HEADER_LINE_SIZE);
	memcpy(line, "PROXY UNKNOWN ", 14);
	refuse(line, sizeof line, PROXY_HEADER_LINE_SIZE);
	line[106] = '\r';
	line[107] = '\n';
	refuse(line, sizeof line, PROXY_HEADER_LINE_SIZE);
}
END_TEST

START_TEST(test_no_header_at_all)
{
	static const char *const others[] = {"GET / HTTP/1.1\r\n", "P", "POST / HTTP/1.1\r\n",
	        "PROXYTCP4", "proxy TCP4", "PROXY\r\n", "\r\n\r\nGET", "\r\rx", "\n",
	        " PROXY TCP4 ", "\x16\x03\x01\x02"};
	struct proxy_header h;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(others[i], "P") != 0)
			refuse(others[i], strlen(others[i]), PROXY_HEADER_MISSING);
	ck_assert_int_eq(parse_exact(&h, "P", 1), 0);
	ck_assert_int_eq(parse_exact(&h, "X", 1), -PROXY_HEADER_MISSING);
	ck_assert_int_eq(parse_exact(&h, SIGNATURE, 4), 0);
	ck_assert_int_eq(parse_exact(&h, "\r\n\r\n\0\r\nQUIT\r", 12), -PROXY_HEADER_MISSING);
}
END_TEST

/* ---- version 2 ---- */

struct binary {
	uint8_t at[PROXY_HEADER_MAX + 100];
	size_t len;
};

static struct binary binary(unsigned command, unsigned family, size_t size)
{
	struct binary b = {.len = 16 + size};
	memcpy(b.at, SIGNATURE, 12);
	b.at[12] = (uint8_t)command;
	b.at[13] = (uint8_t)family;
	b.at[14] = (uint8_t)(size >> 8);
	b.at[15] = (uint8_t)size;
	if (b.len > sizeof b.at)
		b.len = sizeof b.at;
	for (size_t i = 16; i < b.len; i++)
		b.at[i] = (uint8_t)i;
	return b;
}

START_TEST(test_binary_tells_addresses)
{
	/* Streams and datagrams, with and without something behind the addresses. */
	for (unsigned transport = 1; transport <= 2; transport++) {
		for (size_t more = 0; more <= 40; more += 20) {
			struct binary b = binary(0x21, 0x10 | transport, 12 + more);
			struct proxy_header h = accepted(b.at, b.len);
			ck_assert(h.is_told);
			text_is(&h.source, "16.17.18.19:6169");
			text_is(&h.destination, "20.21.22.23:6683");
			b = binary(0x21, 0x20 | transport, 36 + more);
			h = accepted(b.at, b.len);
			ck_assert(h.is_told);
			text_is(&h.source, "[1011:1213:1415:1617:1819:1a1b:1c1d:1e1f]:12337");
			text_is(&h.destination, "[2021:2223:2425:2627:2829:2a2b:2c2d:2e2f]:12851");
			b = binary(0x21, 0x30 | transport, 216 + more);
			h = accepted(b.at, b.len);
			ck_assert(h.is_told);
			text_is(&h.source, "unix:");
			text_is(&h.destination, "unix:");
		}
	}
}
END_TEST

START_TEST(test_binary_tells_nothing)
{
	static const struct {
		unsigned command, family;
		size_t size;
	} headers[] = {
	        {0x20, 0x00, 0},
	        {0x20, 0x00, 50},
	        {0x20, 0x11, 12},
	        {0x20, 0x11, 3}, /* LOCAL: the block is discarded, whatever it is */
	        {0x20, 0xff, 3},
	        {0x21, 0x00, 0},
	        {0x21, 0x00, 70},
	        {0x21, 0x01, 0},
	        {0x21, 0x10, 0},
	        {0x21, 0x20, 36},
	        {0x20, 0x00, 4096},
	};
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		struct binary b = binary(headers[i].command, headers[i].family, headers[i].size);
		ck_assert(!accepted(b.at, b.len).is_told);
	}
}
END_TEST

START_TEST(test_bad_binaries)
{
	for (unsigned command = 0; command < 256; command++) {
		struct binary b = binary(command, 0x11, 12);
		if (command != 0x20 && command != 0x21)
			refuse(b.at, b.len, PROXY_HEADER_COMMAND);
	}
	for (unsigned family = 0; family < 256; family++) {
		struct binary b = binary(0x21, family, 216);
		if (family >> 4 > 3 || (family & 15) > 2)
			refuse(b.at, b.len, PROXY_HEADER_FAMILY);
		else
			accepted(b.at, b.len);
	}
	for (size_t size = 0; size < 216; size++) {
		struct binary b = binary(0x21, 0x31, size);
		refuse(b.at, b.len, PROXY_HEADER_SHORT);
		b = binary(0x21, 0x12, size);
		if (size < 12)
			refuse(b.at, b.len, PROXY_HEADER_SHORT);
		b = binary(0x21, 0x21, size);
		if (size < 36)
			refuse(b.at, b.len, PROXY_HEADER_SHORT);
	}
	struct binary b = binary(0x21, 0x11, 4097);
	refuse(b.at, b.len, PROXY_HEADER_SIZE);
	b = binary(0x20, 0x00, 65535);
	refuse(b.at, b.len, PROXY_HEADER_SIZE);
}
END_TEST

/* ---- writing ---- */

static struct address_brief brief(const char *text)
{
	struct address a;
	struct address_brief b;
	ck_assert(address_parse(&a, text));
	address_brief(&b, &a);
	return b;
}

static void line_written(const char *source, const char *destination, const char *want)
{
	uint8_t out[PROXY_HEADER_WRITE_MAX];
	struct address_brief from = brief(source), to = brief(destination);
	size_t n = proxy_header_write(out, PROXY_HEADER_V1, &from, &to);
	ck_assert_uint_eq(n, strlen(want));
	ck_assert_mem_eq(out, want, n);
}

START_TEST(test_lines_written)
{
	uint8_t out[PROXY_HEADER_WRITE_MAX];
	struct address_brief from = brief("192.0.2.1:5"), none = {.family = AF_UNIX};
	line_written("192.0.2.1:5", "127.0.0.1:80", "PROXY TCP4 192.0.2.1 127.0.0.1 5 80\r\n");
	line_written("[2001:db8::1]:5", "[::1]:80", "PROXY TCP6 2001:db8::1 ::1 5 80\r\n");
	line_written("[2001:db8::1]:5", "127.0.0.1:80",
	        "PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 5 80\r\n");
	line_written("192.0.2.1:5", "[::1]:80", "PROXY TCP6 ::ffff:192.0.2.1 ::1 5 80\r\n");
	line_written("192.0.2.1:5", "unix:/x", "PROXY TCP4 192.0.2.1 0.0.0.0 5 0\r\n");
	line_written("[::1]:5", "unix:/x", "PROXY TCP6 ::1 :: 5 0\r\n");
	line_written("unix:/x", "127.0.0.1:80", "PROXY UNKNOWN\r\n");
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_V1, &none, NULL), 15);
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_V1, NULL, NULL), 15);
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_V1, &from, NULL), 34);
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_OFF, &from, NULL), 0);
}
END_TEST

START_TEST(test_binaries_written)
{
	static const uint8_t local[] = SIGNATURE "\x20\x00\x00";
	static const uint8_t v4[] = SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\x7f\x00\x00\x01"
	                                      "\x12\x34\x00\x50";
	uint8_t out[PROXY_HEADER_WRITE_MAX];
	struct address_brief from = brief("192.0.2.1:4660"), to = brief("127.0.0.1:80");
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_V2, &from, &to), sizeof v4 - 1);
	ck_assert_mem_eq(out, v4, sizeof v4 - 1);
	/* The literal ends with the header's last zero. */
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_V2, NULL, &to), sizeof local);
	ck_assert_mem_eq(out, local, sizeof local);
	from = brief("unix:/x");
	ck_assert_uint_eq(proxy_header_write(out, PROXY_HEADER_V2, &from, &to), sizeof local);
}
END_TEST

/* What is written is read back as the same. */
START_TEST(test_written_is_read)
{
	static const char *const all[] = {"192.0.2.1:5", "[2001:db8::1]:65535", "0.0.0.0:0",
	        "[::]:0", "[::ffff:192.0.2.1]:9"};
	enum { ALL = sizeof all / sizeof all[0] };
	for (size_t i = 0; i < ALL; i++) {
		for (size_t k = 0; k < ALL; k++) {
			struct address_brief from = brief(all[i]), to = brief(all[k]);
			for (int v = PROXY_HEADER_V1; v <= PROXY_HEADER_V2; v++) {
				uint8_t out[PROXY_HEADER_WRITE_MAX];
				size_t n = proxy_header_write(
				        out, (enum proxy_header_version)v, &from, &to);
				struct proxy_header h = accepted(out, n);
				ck_assert(h.is_told);
				ck_assert_uint_eq(h.source.family, h.destination.family);
				ck_assert_uint_eq(h.source.port, from.port);
				ck_assert_uint_eq(h.destination.port, to.port);
				if (from.family == to.family) {
					ck_assert(address_brief_equal(&h.source, &from));
					ck_assert(address_brief_equal(&h.destination, &to));
				}
			}
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net_proxy_header");
	TCase *c = tcase_create("core");
	tcase_add_test(c, test_line_tells_addresses);
	tcase_add_test(c, test_unknown_line_tells_nothing);
	tcase_add_test(c, test_bad_lines);
	tcase_add_test(c, test_endless_lines);
	tcase_add_test(c, test_no_header_at_all);
	tcase_add_test(c, test_binary_tells_addresses);
	tcase_add_test(c, test_binary_tells_nothing);
	tcase_add_test(c, test_bad_binaries);
	tcase_add_test(c, test_lines_written);
	tcase_add_test(c, test_binaries_written);
	tcase_add_test(c, test_written_is_read);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
