-- SPDX-License-Identifier: BSD-2-Clause
-- What the init phase sees, for cases to tell.
local t = require "parity"
seen_in_init = { phase = ngx.get_phase() }

local function try(name, f, ...)
    seen_in_init[#seen_in_init + 1] = name .. " " .. t.attempt(f, ...)
end

try("say", ngx.say, "x")
try("sleep", ngx.sleep, 0)
try("var", function() return ngx.var.uri end)
try("header", function() return ngx.header.x end)
try("status", function() return ngx.status end)
try("ctx", function() return type(ngx.ctx) end)
try("headers", ngx.req.get_headers)
try("tcp", function() return ngx.socket.tcp() end)
try("spawn", function() return ngx.thread.spawn(function() end) end)
try("timer", ngx.timer.at, 0, function() end)
try("exit", ngx.exit, 200)
try("now", function() return type(ngx.now()) end)
try("md5", ngx.md5, "")
try("re", ngx.re.find, "abc", "b")
try("dict", function() return ngx.shared.dict:set("from init", 1) end)
try("coroutine", function()
    return coroutine.resume(coroutine.create(function() return "made" end))
end)
try("worker id", function() return type(ngx.worker.id()) end)
