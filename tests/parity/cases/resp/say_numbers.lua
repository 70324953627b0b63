-- SPDX-License-Identifier: BSD-2-Clause
-- Numbers as text.
ngx.say(0, " ", 3, " ", -3, " ", 2 ^ 31, " ", 2 ^ 53, " ", 1 / 3, " ", 1e15, " ", 1e14, " ", 123456789012345)
ngx.say(1 / 0, " ", -1 / 0)
