-- SPDX-License-Identifier: BSD-2-Clause
-- What a module holds stays.
--[=[ client
get()
end()
client()
get()
]=]
local t = require "parity"
local shared = package.loaded["parity.state"] or { n = 0 }
package.loaded["parity.state"] = shared
shared.n = shared.n + 1
t.say(shared.n)
