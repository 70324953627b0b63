-- SPDX-License-Identifier: BSD-2-Clause
-- More timers than may wait.
-- alone
local t = require "parity"
local made, err = 0, nil
local waiting = ngx.timer.pending_count()
for _ = 1, 1100 do
    local ok, e = ngx.timer.at(0.02, function() end)
    if ok then
        made = made + 1
    else
        err = e
    end
end
t.say(made <= 1024, made > 900, err)
while ngx.timer.pending_count() + ngx.timer.running_count() > waiting do
    ngx.sleep(0.005)
end
