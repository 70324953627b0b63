-- SPDX-License-Identifier: BSD-2-Clause
-- The process module.
local t = require "parity"
local process = require "ngx.process"
t.say(process.type())
t.say(type(process.get_master_pid()))
