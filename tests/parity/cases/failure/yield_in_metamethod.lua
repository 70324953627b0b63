-- SPDX-License-Identifier: BSD-2-Clause
-- Yields in metamethods and iterators.
local t = require "parity"
local lazy = setmetatable({}, {
    __index = function(_, k)
        ngx.sleep(0.001)
        return "index " .. k
    end,
    __call = function(_, x)
        ngx.sleep(0.001)
        return "call " .. x
    end,
    __add = function()
        ngx.sleep(0.001)
        return "add"
    end,
    __eq = function()
        ngx.sleep(0.001)
        return true
    end,
    __lt = function()
        ngx.sleep(0.001)
        return true
    end,
    __concat = function()
        ngx.sleep(0.001)
        return "concat"
    end,
})
t.say(lazy.x, lazy(1), lazy + 1, lazy .. "x")
t.say(lazy == setmetatable({}, getmetatable(lazy)), lazy < setmetatable({}, getmetatable(lazy)))
for i in function(_, i)
    ngx.sleep(0.001)
    return i < 3 and i + 1 or nil
end, nil, 0 do
    t.say(i)
end
