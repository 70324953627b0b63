-- SPDX-License-Identifier: BSD-2-Clause
-- An error after output that was not flushed.
--[=[ client
get()
]=]
ngx.say("begun")
error("broken")
