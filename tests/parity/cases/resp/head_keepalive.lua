-- SPDX-License-Identifier: BSD-2-Clause
-- HEAD, then GET on the same connection.
--[=[ client
request("HEAD", close=False)
wait("\r\n\r\n")
get()
]=]
ngx.header.content_length = 6
ngx.say("hello")
