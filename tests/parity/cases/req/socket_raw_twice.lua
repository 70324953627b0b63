-- SPDX-License-Identifier: BSD-2-Clause
-- The raw socket twice.
local t = require "parity"
local sock = assert(ngx.req.socket(true))
local again, err = ngx.req.socket(true)
sock:send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. t.show(again, err) .. "\n")
