-- SPDX-License-Identifier: BSD-2-Clause
-- After eof there is no more output.
--[=[ client
get()
end()
logged('eof case: {1}, {[2] = "seen eof"}, {[2] = "seen eof"}')
]=]
local t = require "parity"
ngx.say("x")
local n = { ngx.eof() }
local m = { ngx.eof() }
local s = { ngx.say("y") }
ngx.log(ngx.NOTICE, "eof case: ", t.show(n, m, s))
