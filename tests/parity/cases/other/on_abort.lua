-- SPDX-License-Identifier: BSD-2-Clause
-- on_abort, when it is off.
local t = require "parity"
t.say(ngx.on_abort(function() end))
