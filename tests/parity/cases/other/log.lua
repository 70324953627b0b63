-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.log and print.
--[=[ client
get()
end()
logged("log.lua:11: text nil true false 5 1.5 null")
logged("log.lua:12: printed 1 nil")
logged("log.lua:13: made of a table")
]=]
local t = require "parity"
ngx.log(ngx.ERR, "text ", nil, " ", true, " ", false, " ", 5, " ", 1.5, " ", ngx.null)
print("printed ", 1, " ", nil)
ngx.log(ngx.WARN, setmetatable({}, { __tostring = function() return "made of a table" end }))
t.try(ngx.log, ngx.ERR, {})
t.try(ngx.log, 100, "x")
t.try(ngx.log, "x", "y")
t.try(ngx.log)
t.say(ngx.log(ngx.ERR))
