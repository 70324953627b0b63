-- SPDX-License-Identifier: BSD-2-Clause
-- A socket of another request.
--[=[ client
a = client()
a.get("?keep")
a.wait("kept")
client()
get("?use")
end()
]=]
--[=[ upstream
accept()
]=]
local t = require "parity"
if ngx.var.args == "keep" then
    package.loaded["parity.socket"] = t.connect()
    ngx.say("kept")
    ngx.flush(true)
    local shared = package.loaded["parity.socket"]
    while not package.loaded["parity.socket.used"] do
        ngx.sleep(0.005)
    end
    t.say(shared:send("mine"))
    return
end
local other = package.loaded["parity.socket"]
t.try(other.send, other, "x")
t.try(other.receive, other)
t.try(other.close, other)
package.loaded["parity.socket.used"] = true
