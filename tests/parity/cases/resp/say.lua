-- SPDX-License-Identifier: BSD-2-Clause
-- What say and print take, and return.
local t = require "parity"
t.say(ngx.say("x"))
ngx.say()
ngx.say(nil)
ngx.say(true, " ", false, " ", nil, " ", 1, " ", 1.5, " ", -0.25, " ", 1e100)
ngx.say({ "a", { "b", { 1, 2 } }, "c" }, "d")
ngx.print("p", 1, nil, { "q", 2 })
ngx.print()
ngx.print("")
ngx.say("")
ngx.say(ngx.null)
