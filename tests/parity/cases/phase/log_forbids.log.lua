-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase of log_forbids.lua.
local t = require "parity"
local n = t.notes()
local function try(name, f, ...)
    n.note(name, t.attempt(f, ...))
end
try("say", ngx.say, "x")
try("print", ngx.print, "x")
try("flush", ngx.flush)
try("eof", ngx.eof)
try("sleep", ngx.sleep, 0)
try("exit", ngx.exit, 200)
try("redirect", ngx.redirect, "/x")
try("send_headers", ngx.send_headers)
try("read_body", ngx.req.read_body)
try("socket", ngx.req.socket)
try("tcp", ngx.socket.tcp)
try("udp", ngx.socket.udp)
try("spawn", ngx.thread.spawn, function() end)
try("timer", function() return (ngx.timer.at(0, function() end)) end)
try("semaphore", function() return require("ngx.semaphore").new():wait(0) end)
n.done()
