-- SPDX-License-Identifier: BSD-2-Clause
-- What the init phase allows.
local t = require "parity"
for _, line in ipairs(seen_in_init) do
    ngx.say(line)
end
t.say(seen_in_init.phase, ngx.shared.dict:get("from init"))
