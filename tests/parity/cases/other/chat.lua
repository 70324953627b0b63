-- SPDX-License-Identifier: BSD-2-Clause
-- Two clients in one room, by a shared list and a semaphore each.
--[=[ client
a = client()
a.open()
a.wait_frames(1)
b = client()
b.open()
b.wait_frames(1)
a.text("hello b")
b.wait_frames(2)
b.text("hello a")
a.wait_frames(2)
a.close_frame(1000)
b.close_frame(1000)
]=]
local server = require "resty.websocket.server"
local semaphore = require "ngx.semaphore"
local room = package.loaded["parity.room"] or {}
package.loaded["parity.room"] = room
local wb = assert(server:new())
local me = { queue = {}, sema = semaphore.new() }
room[#room + 1] = me
local writer = ngx.thread.spawn(function()
    while true do
        if me.sema:wait(5) then
            wb:send_text(table.remove(me.queue, 1))
        end
    end
end)
wb:send_text("welcome")
while true do
    local data, typ, err = wb:recv_frame()
    if not data or typ == "close" then
        ngx.thread.kill(writer)
        return wb:send_close(1000, err and tostring(err))
    end
    for _, other in ipairs(room) do
        if other ~= me then
            table.insert(other.queue, data)
            other.sema:post()
        end
    end
end
