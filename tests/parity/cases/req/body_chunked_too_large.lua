-- SPDX-License-Identifier: BSD-2-Clause
-- More than client_max_body_size in chunks.
--[=[ client
request("POST", "", "Transfer-Encoding: chunked")
send("100001\r\n")
send("x" * 65536)
wait("413")
end()
]=]
ngx.req.read_body()
ngx.say("never")
