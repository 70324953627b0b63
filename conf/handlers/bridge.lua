-- SPDX-License-Identifier: BSD-2-Clause
-- A bridge from HTTP to a WebSocket server: the body of a POST is sent as a message, the message that comes back
-- is the answer.
--
--     curl -d hello http://HOST/ask
--
--     [route ask]
--     path = /ask
--     handler = handlers/bridge.lua
--
-- For servers that answer each message with one. Connections are kept, and used again.

local client = require "resty.websocket.client"

local SERVER = "ws://127.0.0.1:8081/echo"

ngx.req.read_body()
local question = ngx.req.get_body_data()
if not question then
    return ngx.exit(400)
end

-- Returns the answer and its type; or nil, why not, and whether it was an older connection that failed.
local function ask(wb)
    local ok, err, header = wb:connect(SERVER, { pool = "bridge", pool_size = 10 })
    if not ok then
        return nil, err
    end
    local is_reused = header == "connection reused"
    ok, err = wb:send_text(question)
    if not ok then
        return nil, err, is_reused
    end
    while true do
        local data, typ, err = wb:recv_frame()
        if not data then
            return nil, err, is_reused
        elseif typ == "text" or typ == "binary" then
            return data, typ
        elseif typ == "close" then
            return nil, "closed by the server", is_reused
        end
    end
end

-- A kept connection may have ended just now. Then another one is tried: do so only with questions that may be
-- asked twice.
local answer, typ, is_reused
repeat
    local wb = client:new { timeout = 5000, whole_messages = true, auto_pong = true, max_payload_len = 1048576 }
    answer, typ, is_reused = ask(wb)
    if answer then
        wb:set_keepalive(30000)
    else
        wb:close()
    end
until answer or not is_reused
if not answer then
    ngx.log(ngx.ERR, "no answer: ", typ)
    return ngx.exit(502)
end
ngx.header.Content_Type = typ == "text" and "text/plain; charset=utf-8" or "application/octet-stream"
ngx.print(answer)
