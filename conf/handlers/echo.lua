-- SPDX-License-Identifier: BSD-2-Clause
-- Sends back what each client sends.
--
--     [route echo]
--     path = /echo
--     handler = handlers/echo.lua

local server = require "resty.websocket.server"

local wb, err = server:new { max_payload_len = 1048576, timeout = 60000 }
if not wb then
    ngx.log(ngx.NOTICE, "no WebSocket: ", err)
    return ngx.exit(400)
end

while true do
    local data, typ, err = wb:recv_frame()
    if typ == "text" then
        wb:send_frame(err ~= "again", 0x1, data)
    elseif typ == "binary" then
        wb:send_frame(err ~= "again", 0x2, data)
    elseif typ == "continuation" then
        wb:send_frame(err ~= "again", 0x0, data)
    elseif typ == "ping" then
        wb:send_pong(data)
    elseif typ == "close" then
        -- The same code goes back; one that must not be sent, or none, as an empty close.
        local code = err and err >= 1000 and err <= 4999 and err ~= 1005 and err ~= 1006 and err or nil
        return wb:send_close(code)
    elseif not data and err and err:find(": timeout", 1, true) then
        -- Nobody spoke for a while: is anybody there?
        if not wb:send_ping() then
            return
        end
    elseif not data then
        return
    end
    if wb.fatal then
        return
    end
end
