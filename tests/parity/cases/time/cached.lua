-- SPDX-License-Identifier: BSD-2-Clause
-- now stands still within a turn.
local t = require "parity"
local start = ngx.now()
local clock = os.clock()
while os.clock() - clock < 0.005 do
end
t.say(ngx.now() == start)
ngx.update_time()
t.say(ngx.now() > start)
