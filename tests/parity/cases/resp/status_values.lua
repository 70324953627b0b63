-- SPDX-License-Identifier: BSD-2-Clause
-- Statuses as text and as something else.
local t = require "parity"
t.try(function() ngx.status = "404" end)
ngx.say("after")
