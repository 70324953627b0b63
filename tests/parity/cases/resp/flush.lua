-- SPDX-License-Identifier: BSD-2-Clause
-- What flush returns.
local t = require "parity"
t.say(ngx.flush())
t.say(ngx.flush(true))
t.say(ngx.flush(false))
ngx.eof()
