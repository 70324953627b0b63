-- SPDX-License-Identifier: BSD-2-Clause
-- A ctx in the place of the options goes unnoticed.
local t = require "parity"
t.try(ngx.re.match, "abcb", "b", { pos = 3 })
t.try(ngx.re.find, "abcb", "b", {})
t.try(ngx.re.gsub, "abcb", "b", "x", {})
t.say((pcall(ngx.re.match, "x", "x", { "j" })))
