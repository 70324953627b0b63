-- SPDX-License-Identifier: BSD-2-Clause
-- Underscores in names of response headers become dashes.
local t = require "parity"
ngx.header.x_one_two = "a"
ngx.header["X_Three"] = "b"
ngx.header.sec_websocket_protocol = "c"
t.say(ngx.header["X-One-Two"], ngx.header.x_three, ngx.header["Sec-WebSocket-Protocol"])
