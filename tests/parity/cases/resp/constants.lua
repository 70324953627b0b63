-- SPDX-License-Identifier: BSD-2-Clause
-- The statuses and methods by name.
local names = {}
for name, value in pairs(ngx) do
    if type(value) == "number" then
        names[#names + 1] = name .. " = " .. value
    end
end
table.sort(names)
for _, line in ipairs(names) do
    ngx.say(line)
end
