-- SPDX-License-Identifier: BSD-2-Clause
-- A sleep within a turn that takes long is as long as asked, by the time that is told.
local t = require "parity"
local function work()
    local from = os.clock()
    while os.clock() - from < 0.05 do
    end
end
local function slept()
    local from = ngx.now()
    ngx.sleep(0.03)
    return ngx.now() - from > 0.0285
end
work()
t.say(slept())
work()
ngx.update_time()
t.say(slept())
