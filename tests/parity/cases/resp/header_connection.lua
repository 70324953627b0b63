-- SPDX-License-Identifier: BSD-2-Clause
-- Connection and Transfer-Encoding of the script's own.
--[=[ client
request("GET", close=False)
wait("0\r\n\r\n")
request("GET")
]=]
local t = require "parity"
t.say(ngx.header.connection, ngx.header["Transfer-Encoding"])
