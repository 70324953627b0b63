-- SPDX-License-Identifier: BSD-2-Clause
-- What the init_worker phase allows.
local t = require "parity"
for _, line in ipairs(seen_in_init_worker) do
    ngx.say(line)
end
t.say(seen_in_init_worker.phase, seen_in_init_worker.timer, ngx.shared.dict:get("from init_worker"))
