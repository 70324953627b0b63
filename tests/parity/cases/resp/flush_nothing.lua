-- SPDX-License-Identifier: BSD-2-Clause
-- flush before anything.
local t = require "parity"
local ok, err = ngx.flush(true)
t.say(ok, err)
local ok, err = ngx.flush()
t.say(ok, err)
