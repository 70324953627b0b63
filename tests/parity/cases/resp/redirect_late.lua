-- SPDX-License-Identifier: BSD-2-Clause
-- redirect after output.
local t = require "parity"
ngx.say("begun")
t.try(ngx.redirect, "/x")
