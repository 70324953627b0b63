-- SPDX-License-Identifier: BSD-2-Clause
-- Every level.
--[=[ client
get()
end()
for level in range(7):
    logged(f"log_levels.lua:12: level {level}")
]=]
for level = ngx.EMERG, ngx.INFO do
    -- One line for all of them.
    local text = "level " .. level - 1
    ngx.log(level, text)
end
