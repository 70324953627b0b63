-- SPDX-License-Identifier: BSD-2-Clause
-- What a value may not be.
local t = require "parity"
local d = ngx.shared.dict
t.try(d.set, d, "bad", {})
t.try(d.set, d, "bad", print)
t.try(d.set, d, "bad", ngx.null)
t.try(d.add, d, "bad", {})
t.try(d.set, d, "bad", 1, -1)
t.try(d.set, d, "bad", 1, "x")
t.try(d.set, d)
t.try(d.get, d)
t.try(d.set, {}, "k", 1)
t.try(d.set, nil, "k", 1)
t.try(d.incr, d, "bad", "x")
