-- SPDX-License-Identifier: BSD-2-Clause
-- encode_args and decode_args.
local t = require "parity"
t.say(ngx.encode_args({ a = 1 }), ngx.encode_args({}), ngx.encode_args({ ["a b"] = "c&d=" }))
t.say(ngx.encode_args({ a = { 1, "b", true } }), ngx.encode_args({ a = true }), ngx.encode_args({ a = false }))
t.say(ngx.encode_args({ a = {} }))
t.say(ngx.encode_args({ a = { true, "x" } }))
t.try(ngx.encode_args, { a = print })
t.try(ngx.encode_args, "x")
t.try(ngx.encode_args, { a = { {} } })
t.say(ngx.decode_args("a=1&b=2&a=3&c&d=&=e&%41=%42+c"))
t.say(ngx.decode_args(""))
t.say(ngx.decode_args("a=1&b=2&c=3", 2))
t.try(ngx.decode_args, nil)
local many = {}
for i = 1, 150 do
    many[i] = "k" .. i .. "=" .. i
end
local function count(...)
    local n, args, err = 0, ngx.decode_args(table.concat(many, "&"), ...)
    for _ in pairs(args) do
        n = n + 1
    end
    t.say(n, err)
end
count()
count(0)
count(10)
