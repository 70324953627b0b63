-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 with keep-alive.
--[=[ client
get("", "Connection: keep-alive", version="1.0", close=False)
wait("again\n")
get(version="1.0", close=False)
]=]
ngx.header.content_length = 12
ngx.say("hello")
ngx.say("again")
