-- SPDX-License-Identifier: BSD-2-Clause
-- A coroutine that reads, resumed line by line.
--[=[ upstream
accept()
send("one\ntwo\nthree\n")
leave()
]=]
local t = require "parity"
local sock = t.connect()
local lines = coroutine.wrap(function()
    while true do
        local line, err = sock:receive()
        if not line then
            return err
        end
        coroutine.yield(line)
    end
end)
t.say(lines(), lines(), lines(), lines())
sock:close()
