-- SPDX-License-Identifier: BSD-2-Clause
-- The log phase after an error.
--[=[ client
get()
end()
notes()
]=]
error("broken")
