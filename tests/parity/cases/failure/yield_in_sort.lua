-- SPDX-License-Identifier: BSD-2-Clause
-- No yield across table.sort or gsub: an error.
local t = require "parity"
t.try(table.sort, { 3, 1, 2 }, function(a, b)
    ngx.sleep(0.001)
    return a < b
end)
t.try(string.gsub, "abc", "b", function()
    ngx.sleep(0.001)
    return "x"
end)
