-- SPDX-License-Identifier: BSD-2-Clause
-- A timer that talks to a socket.
--[=[ client
get()
end()
notes()
]=]
--[=[ upstream
accept()
wait("ping\n")
send("pong\n")
]=]
local t = require "parity"
local n, port = t.notes(), t.port()
ngx.timer.at(0, function()
    local sock = ngx.socket.tcp()
    n.note(sock:connect("127.0.0.1", port))
    n.note(sock:send("ping\n"))
    n.note(sock:receive())
    n.note(sock:close())
    n.done()
end)
