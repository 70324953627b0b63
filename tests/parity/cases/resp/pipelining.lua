-- SPDX-License-Identifier: BSD-2-Clause
-- Requests in one segment are answered in their order.
--[=[ client
line = f"GET {path}?%s HTTP/1.1\r\nHost: parity\r\n%s\r\n"
send(line % (1, "") + line % (2, "") + line % (3, "Connection: close\r\n"))
]=]
ngx.sleep(ngx.var.args == "1" and 0.02 or 0)
ngx.say(ngx.var.args)
