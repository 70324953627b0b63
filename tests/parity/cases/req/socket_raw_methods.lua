-- SPDX-License-Identifier: BSD-2-Clause
-- What a raw socket can do.
local sock = assert(ngx.req.socket(true))
local out = {}
for _, name in ipairs { "receive", "receiveany", "receiveuntil", "send", "settimeout", "settimeouts", "close", "setkeepalive",
    "setoption", "connect", "getreusedtimes", "sslhandshake", "bind" } do
    out[#out + 1] = name .. " " .. type(sock[name])
end
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. table.concat(out, "\n") .. "\n")
