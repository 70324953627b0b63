-- SPDX-License-Identifier: BSD-2-Clause
-- sslhandshake returns a session, which the next one takes.
--[=[ upstream
for _ in range(2):
    accept(tls={})
    send("x")
    end()
]=]
local t = require "parity"
local sock = t.connect()
local session, err = sock:sslhandshake(nil, "app.parity", true)
t.say(type(session), err)
sock:close()
sock = t.connect()
t.say(type((sock:sslhandshake(session, "app.parity", true))))
sock:close()
