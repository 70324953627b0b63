-- SPDX-License-Identifier: BSD-2-Clause
-- From access through content to log.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
ngx.ctx.content = "content"
t.say(ngx.ctx)
