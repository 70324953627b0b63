-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.status before and after the headers.
local t = require "parity"
t.say(ngx.status)
