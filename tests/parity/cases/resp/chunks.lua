-- SPDX-License-Identifier: BSD-2-Clause
-- Each call of say is a chunk.
--[=[ client
show_chunks()
get()
]=]
ngx.say("one")
ngx.print("two", "three")
ngx.print("")
ngx.flush(true)
ngx.say({ "a", "b" })
