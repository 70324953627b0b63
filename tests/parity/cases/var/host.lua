-- SPDX-License-Identifier: BSD-2-Clause
-- host and server_name.
--[=[ client
for host in ("parity", "PARITY:8080", "other.example.", "127.0.0.1:80", "[::1]:80"):
    client()
    get(host=host)
    end()
]=]
local t = require "parity"
t.say(ngx.var.host, ngx.var.http_host)
