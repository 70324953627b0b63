-- SPDX-License-Identifier: BSD-2-Clause
-- The errlog module.
--[=[ client
get()
end()
logged("raw words of the script")
]=]
local t = require "parity"
local errlog = require "ngx.errlog"
t.say(type(errlog.get_sys_filter_level()))
t.say(errlog.raw_log(ngx.ERR, "raw words of the script"))
t.try(errlog.raw_log, ngx.ERR)
