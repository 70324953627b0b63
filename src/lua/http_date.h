/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Dates of HTTP (RFC 9110 5.6.7): the one form that is written, the three that are read. Pure;
 * any thread. */

#include "base/slice.h"

enum { HTTP_DATE_ROOM = 40 };

/* `Thu, 18 Nov 2010 11:27:35 GMT`; the years are 1970 to 9999. Returns the length. */
size_t http_date_write(char out[HTTP_DATE_ROOM], int64_t seconds);
/* The form of old cookies, `Thu, 18-Nov-10 11:27:35 GMT`; from 2038 on with all of the year. */
size_t http_date_write_cookie(char out[HTTP_DATE_ROOM], int64_t seconds);
/* False for what is none of the forms, or no day or time. What follows the date is not looked at.
 */
bool http_date_read(struct slice text, int64_t *seconds);
