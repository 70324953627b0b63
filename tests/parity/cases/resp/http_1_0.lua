-- SPDX-License-Identifier: BSD-2-Clause
-- HTTP/1.0 gets a length and an end.
--[=[ client
get(version="1.0", close=False)
]=]
ngx.say("hello")
ngx.say("again")
