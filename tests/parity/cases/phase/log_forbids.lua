-- SPDX-License-Identifier: BSD-2-Clause
-- What the log phase does not allow.
--[=[ client
get()
end()
notes()
]=]
ngx.say("x")
