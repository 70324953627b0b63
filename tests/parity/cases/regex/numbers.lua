-- SPDX-License-Identifier: BSD-2-Clause
-- Numbers as subject and pattern.
local t = require "parity"
t.try(ngx.re.match, 12345, "3")
t.try(ngx.re.find, 12345, "3", "jo")
t.try(ngx.re.gsub, 12345, "3", "x")
