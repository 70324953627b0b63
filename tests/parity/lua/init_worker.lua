-- SPDX-License-Identifier: BSD-2-Clause
-- What the phase at a worker's start sees, for cases to tell.
local t = require "parity"
seen_in_init_worker = { phase = ngx.get_phase() }

local function try(name, f, ...)
    seen_in_init_worker[#seen_in_init_worker + 1] = name .. " " .. t.attempt(f, ...)
end

try("say", ngx.say, "x")
try("sleep", ngx.sleep, 0)
try("var", function() return ngx.var.uri end)
try("header", function() return ngx.header.x end)
try("status", function() return ngx.status end)
try("ctx", function() return type(ngx.ctx) end)
try("headers", ngx.req.get_headers)
try("exit", ngx.exit, 200)
try("worker id", ngx.worker.id)
try("worker count", ngx.worker.count)
try("exiting", ngx.worker.exiting)
try("spawn", function() return ngx.thread.spawn(function() end) end)
try("dict", function() return ngx.shared.dict:set("from init_worker", 1) end)

try("timer", ngx.timer.at, 0, function(premature, a, b)
    seen_in_init_worker.timer = t.show(premature, a, b, ngx.get_phase())
end, "a", 2)
