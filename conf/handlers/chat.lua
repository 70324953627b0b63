-- SPDX-License-Identifier: BSD-2-Clause
-- A chat room: what one says, all hear, whichever worker they are on.
--
--     [route chat]
--     path = /chat
--     handler = handlers/chat.lua
--
-- and what room.lua asks for. ws://HOST/chat?name=ANNE names a member.

local server = require "resty.websocket.server"
local room = require "room"

-- These three options are Moongate's own: recv_frame joins fragments, and pings and close frames
-- are answered by themselves. lua-resty-websocket leaves all that to the script.
local wb, err = server:new {
    whole_messages = true, auto_pong = true, auto_close = true, utf8 = true,
    max_payload_len = 4096, timeout = 30000,
}
if not wb then
    ngx.log(ngx.NOTICE, "no WebSocket: ", err)
    return ngx.exit(400)
end

local member, err = room.join()
if not member then
    ngx.log(ngx.ERR, "no room: ", err)
    return wb:send_close(1013, "try again later")
end

local name = (ngx.var.arg_name or ""):match("^[%w_.-]+$") or "somebody"

-- Two things go on at a time, so there are two light threads: this one sends what is said in the room...
ngx.thread.spawn(function ()
    local text, err
    repeat
        text, err = room.wait(member)
    until not text or not wb:send_text(text)
    if err == "too slow" then
        wb:send_close(1008, err)
    end
end)

-- ... and the script's first one reads what the member says.
room.say(name .. " has come")
local is_asked = false
while true do
    local data, typ, err = wb:recv_frame()
    if typ == "text" then
        local ok, err = room.say(name .. ": " .. data)
        if not ok then
            ngx.log(ngx.ERR, "not said: ", err)
        end
    elseif typ == "close" or wb.fatal or is_asked and not typ then
        break
    end
    -- Silent for 30 s: a ping. For 30 s more: gone.
    is_asked = not typ
    if is_asked then
        wb:send_ping()
    end
end
room.leave(member)
room.say(name .. " has left")
