-- SPDX-License-Identifier: BSD-2-Clause
-- Errors of the language.
--[=[ client
get()
end()
logged("runtime.lua:9: attempt to index local 'x' (a nil value)")
]=]
local x
local y = x.y
return y
