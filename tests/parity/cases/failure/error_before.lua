-- SPDX-License-Identifier: BSD-2-Clause
-- An error before any output: a page with 500.
--[=[ client
get()
end()
logged("error_before.lua:8: broken")
]=]
error("broken")
