-- SPDX-License-Identifier: BSD-2-Clause
-- A timer outlives its request, and must not use it.
--[=[ client
get()
end()
notes()
]=]
--[=[ upstream
accept()
]=]
local t = require "parity"
local n, sock = t.notes(), t.connect()
ngx.timer.at(0.01, function()
    n.note(t.attempt(sock.send, sock, "x"))
    n.note(t.attempt(sock.receive, sock))
    n.done()
end)
