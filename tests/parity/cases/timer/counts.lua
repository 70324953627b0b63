-- SPDX-License-Identifier: BSD-2-Clause
-- How many timers wait and run.
-- alone
local t = require "parity"
-- Those of other cases that repeat are there already.
local waiting = ngx.timer.pending_count()
local function count()
    t.say(ngx.timer.pending_count() - waiting, ngx.timer.running_count())
end
count()
for _ = 1, 3 do
    ngx.timer.at(0.02, function() ngx.sleep(0.02) end)
end
count()
while ngx.timer.running_count() < 3 do
    ngx.sleep(0.001)
end
count()
while ngx.timer.running_count() > 0 do
    ngx.sleep(0.001)
end
count()
