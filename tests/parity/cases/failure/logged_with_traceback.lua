-- SPDX-License-Identifier: BSD-2-Clause
-- The log has the words and the traceback.
--[=[ client
get()
end()
logged("lua entry thread aborted: runtime error:")
logged("logged_with_traceback.lua:11: deep down")
logged("in function 'inner'")
]=]
local function inner()
    error("deep down")
end
inner()
ngx.say("never")
