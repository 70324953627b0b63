-- SPDX-License-Identifier: BSD-2-Clause
-- access: asks an HTTP service whether a client may come in.
--
--     [route rooms]
--     path = /rooms/*
--     access = handlers/token.lua
--     upstream = rooms
--
-- The client shows a token, `Authorization: Bearer TOKEN` or, as browsers cannot set headers of a
-- WebSocket, `?token=TOKEN`. The service gets `GET /check` with it, and the path that is asked for;
-- its 200 lets the client pass, and the user whom it names in X-User goes on to the upstream.
-- Without an answer nobody comes in. Connections to the service are used again.

local host, port = (os.getenv("TOKEN_SERVICE") or "127.0.0.1:8080"):match("^(.+):(%d+)$")

local TIMEOUT = 2000 -- ms, of each step
local IDLE, IDLE_MAX = 30000, 20

local function token()
    local header = ngx.var.http_authorization
    local found = header and header:match("^[Bb]earer%s+(%S+)$") or ngx.var.arg_token
    -- Whatever goes into a request of our own must not end a line of it.
    return found and found:match("^[%w%-%._~%+/=]+$")
end

local function read_head(sock)
    local line, err = sock:receive()
    if not line then
        return nil, err
    end
    local status = tonumber(line:match("^HTTP/1%.%d (%d%d%d)"))
    if not status then
        return nil, "no HTTP"
    end
    local fields = {}
    repeat
        line, err = sock:receive()
        if not line then
            return nil, err
        end
        local name, value = line:match("^([^:]+):%s*(.-)%s*$")
        if name then
            fields[name:lower()] = value
        end
    until line == ""
    return status, fields
end

local function ask(with)
    local sock = ngx.socket.tcp()
    sock:settimeout(TIMEOUT)
    local ok, err = sock:connect(host, tonumber(port))
    if not ok then
        return nil, err
    end
    ok, err = sock:send {
        "GET /check HTTP/1.1\r\nHost: ", host, "\r\nAuthorization: Bearer ", with,
        "\r\nX-Path: ", ngx.escape_uri(ngx.var.uri), "\r\n\r\n",
    }
    if not ok then
        return nil, err
    end
    local status, fields = read_head(sock)
    if not status then
        return nil, fields
    end
    local length = tonumber(fields["content-length"])
    if length and sock:receive(length) and fields.connection ~= "close" then
        sock:setkeepalive(IDLE, IDLE_MAX)
    else
        sock:close()
    end
    return status, fields["x-user"]
end

ngx.req.clear_header("X-User")
local with = token()
if not with then
    ngx.header.www_authenticate = "Bearer"
    return ngx.exit(401)
end
local status, user = ask(with)
if not status then
    ngx.log(ngx.ERR, "the token service does not answer: ", user)
    return ngx.exit(503)
elseif status ~= 200 then
    return ngx.exit(403)
end
if user then
    ngx.req.set_header("X-User", user)
end
