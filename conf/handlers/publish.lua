-- SPDX-License-Identifier: BSD-2-Clause
-- Lets other programs speak in the chat room, by plain HTTP:
--
--     curl -d 'tea is ready' http://HOST/publish
--
--     [route publish]
--     path = /publish
--     handler = handlers/publish.lua
--
-- and what room.lua asks for. Whoever reaches it may use it: see token.lua, or bind its listener inside.

local room = require "room"

if ngx.req.get_method() ~= "POST" then
    ngx.header.Allow = "POST"
    return ngx.exit(405)
end

-- Waits for the whole body; a larger one than client_max_body_size never gets here.
ngx.req.read_body()
local text = ngx.req.get_body_data()
local _, _, err = ngx.re.find(text or "", "", "u")
if not text or err then
    return ngx.exit(400) -- nothing, or no UTF-8, which a text message must be
end

local ok, err = room.say(text)
if not ok then
    ngx.log(ngx.ERR, "not said: ", err)
    return ngx.exit(503)
end
ngx.status = 202
ngx.say("said")
