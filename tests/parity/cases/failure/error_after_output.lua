-- SPDX-License-Identifier: BSD-2-Clause
-- An error after output cuts the answer.
--[=[ client
get()
]=]
ngx.say("begun")
ngx.flush(true)
error("broken")
