-- SPDX-License-Identifier: BSD-2-Clause
-- Asks an HTTP service whether a client may come in, before anything else happens with its request.
--
--     [route inner]
--     path = /inner/*
--     access = handlers/token.lua
--     upstream = application
--
-- The service gets `GET /check` with the client's token as `Authorization: Bearer TOKEN`, answers
-- 200 or 204 to let it in, and tells who it is by `X-User`; the application finds that in its request.
-- No answer in time: nobody comes in.

local HOST, PORT = "127.0.0.1", 8082

-- Browsers cannot send Authorization with a WebSocket: their pages put the token into the query.
local token = ngx.var.arg_token
if token then
    token = "Bearer " .. token
    local args = ngx.req.get_uri_args()
    args.token = nil -- for nobody else's eyes
    ngx.req.set_uri_args(args)
else
    token = ngx.var.http_authorization
end
if not token then
    ngx.header["WWW-Authenticate"] = "Bearer"
    return ngx.exit(401)
end

-- Returns the status of the answer and its fields, or nil and why there is none.
local function ask()
    local sock = ngx.socket.tcp()
    sock:settimeouts(1000, 1000, 3000) -- milliseconds: to connect, to send, between two reads
    local ok, err = sock:connect(HOST, PORT) -- one of the pool, if there is one
    if not ok then
        return nil, err
    end
    ok, err = sock:send { "GET /check HTTP/1.1\r\nHost: ", HOST, "\r\nAuthorization: ", token, "\r\n\r\n" }
    if not ok then
        return nil, err
    end
    local line, fields = nil, {}
    line, err = sock:receive("*l")
    local status = line and tonumber(line:match("^HTTP/1%.1 (%d%d%d)"))
    repeat
        line, err = sock:receive("*l")
        local name, value = (line or ""):match("^([^:]+):%s*(.-)%s*$")
        if name then
            fields[name:lower()] = value
        end
    until not line or line == ""
    if not line or not status then
        sock:close()
        return nil, err or "no HTTP"
    end
    -- Only a connection on which nothing is left may be kept for the next request.
    local length = status == 204 and 0 or tonumber(fields["content-length"])
    if length and length <= 4096 and (length == 0 or sock:receive(length)) and fields.connection ~= "close" then
        sock:setkeepalive(30000, 10)
    else
        sock:close()
    end
    return status, fields
end

local status, fields = ask()
if not status or status >= 500 then
    ngx.log(ngx.ERR, "the token service does not answer: ", status or fields)
    return ngx.exit(503)
elseif status ~= 200 and status ~= 204 then
    return ngx.exit(403)
end
ngx.req.clear_header("Authorization")
ngx.req.set_header("X-User", fields["x-user"]) -- nil takes away what the client may have claimed
