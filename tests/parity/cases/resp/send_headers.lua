-- SPDX-License-Identifier: BSD-2-Clause
-- send_headers, once and again.
local t = require "parity"
t.say(ngx.headers_sent)
