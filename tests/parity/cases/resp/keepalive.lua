-- SPDX-License-Identifier: BSD-2-Clause
-- Requests one after the other on a connection.
--[=[ client
for n in range(3):
    get(f"?{n}", close=False)
    wait("0\r\n\r\n")
get("?last")
]=]
ngx.say(ngx.var.args, " ", ngx.var.connection_requests)
