-- SPDX-License-Identifier: BSD-2-Clause
-- What the peer has ended is closed, whether its bytes were read or not.
--[=[ upstream
for i in range(4):
    accept()
    wait("hello")
    send("some words")
    fin()
]=]
local t = require "parity"
local function ended()
    local sock = t.connect()
    sock:send("hello")
    return sock
end
local sock = ended()
t.say(sock:receive("*a"))
t.say(sock:setkeepalive())
t.say(sock:receive(1))
sock:close()
sock = ended()
t.say(sock:receive("*a"))
t.say(sock:receive(1))
t.say(sock:setkeepalive())
sock:close()
sock = ended()
t.say(sock:receive(20))
t.say(sock:setkeepalive())
sock:close()
sock = ended()
t.say(sock:receive(4))
local ok, err
repeat
    ngx.sleep(0.002)
    ok, err = sock:setkeepalive()
until err ~= "unread data in buffer" -- which it is until the end has come
t.say(ok, err)
t.say(sock:close())
