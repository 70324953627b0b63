-- SPDX-License-Identifier: BSD-2-Clause
-- A client that leaves during a sleep.
--[=[ client
get()
reset()
notes()
]=]
local t = require "parity"
local n = t.notes()
ngx.sleep(0.02)
n.note("woke")
n.done()
