-- SPDX-License-Identifier: BSD-2-Clause
-- redirect to what holds CR and LF.
--[=[ client
get()
]=]
local t = require "parity"
t.try(ngx.redirect, "/x\r\nX-Smuggled: yes")
