-- SPDX-License-Identifier: BSD-2-Clause
-- A proxy, frame by frame: every frame of both sides goes through this script, which may look at it, change it or
-- drop it. (A proxy that need not look is a route with `upstream`, which is faster.)
--
--     [route proxied]
--     path = /proxied/*
--     handler = handlers/proxy.lua

local server = require "resty.websocket.server"
local client = require "resty.websocket.client"

local SERVER = "ws://127.0.0.1:8081"
local OPTIONS = { timeout = 60000, max_payload_len = 16777216 }
local OPCODES = { continuation = 0x0, text = 0x1, binary = 0x2, ping = 0x9, pong = 0xa }

-- The other server first, so that what it says can go into the answer to the client.
local up = client:new(OPTIONS)
local ok, err = up:connect(SERVER .. ngx.var.request_uri, {
    protocols = ngx.var.http_sec_websocket_protocol,
    origin = ngx.var.http_origin,
    headers = { "X-Forwarded-For: " .. ngx.var.remote_addr },
})
if not ok then
    ngx.log(ngx.ERR, "no server: ", err)
    return ngx.exit(502)
end
ngx.header["Sec-WebSocket-Protocol"] = up:get_resp_headers().sec_websocket_protocol

local down, err = server:new(OPTIONS)
if not down then
    ngx.log(ngx.NOTICE, "no WebSocket: ", err)
    up:send_close(1001, "the client is gone")
    up:close()
    return ngx.exit(400)
end

local is_ending = false -- one side has closed, or is gone

-- All that comes from one side goes to the other, up to and with its close frame.
local function pass(from, to)
    while true do
        local data, typ, err = from:recv_frame()
        if typ == "close" then
            is_ending = true
            return to:send_close(err, data)
        elseif typ then
            -- Here is the place to do something with a frame. "again": there is more of its message. If the other side
            -- is gone, the thread that reads from it finds out.
            to:send_frame(err ~= "again", OPCODES[typ], data)
        elseif from.fatal then
            is_ending = true
            return to:send_close(1001, "the other side is gone")
        elseif is_ending then
            return -- it had its time to answer
        end
    end
end

local back = ngx.thread.spawn(pass, up, down)
pass(down, up)
ngx.thread.wait(back)
up:close()
