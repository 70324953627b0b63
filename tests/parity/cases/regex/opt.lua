-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.re.opt.
local t = require "parity"
local re = require "ngx.re"
t.try(re.opt, "nothing", 1)
t.say((pcall(re.opt)))
