-- SPDX-License-Identifier: BSD-2-Clause
-- An error in xpcall's handler.
local t = require "parity"
t.say((xpcall(function() error("x") end, function() error("y") end)))
