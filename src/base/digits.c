/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/digits.h"

#define TENS(t) t, '0', t, '1', t, '2', t, '3', t, '4', t, '5', t, '6', t, '7', t, '8', t, '9'
const char digits_pairs[200] = {TENS('0'), TENS('1'), TENS('2'), TENS('3'), TENS('4'), TENS('5'),
        TENS('6'), TENS('7'), TENS('8'), TENS('9')};

static char *put_pair(char *at, uint64_t value)
{
	memcpy(at, digits_pairs + 2 * value, 2);
	return at + 2;
}

static char *put_four(char *at, uint64_t value)
{
	return put_pair(put_pair(at, value / 100), value % 100);
}

char *digits_put_large(char *at, uint64_t value)
{
	if (value < 10000)
		return put_pair(digits_put(at, value / 100), value % 100);
	if (value < 100000000)
		return put_four(digits_put(at, value / 10000), value % 10000);
	at = digits_put(at, value / 100000000);
	value %= 100000000;
	return put_four(put_four(at, value / 10000), value % 10000);
}
