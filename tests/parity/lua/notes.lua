-- SPDX-License-Identifier: BSD-2-Clause
-- What the script of the case that the query string names has noted, once it is done.
local name = ngx.var.args
local notes = ngx.shared.notes
while not notes:get(name .. " done") do
    ngx.sleep(0.005)
end
while true do
    local line = notes:lpop(name)
    if not line then
        break
    end
    ngx.say(line)
end
notes:delete(name .. " done")
