-- SPDX-License-Identifier: BSD-2-Clause
-- redirect with what it does not take.
local t = require "parity"
t.try(ngx.redirect, "/x", 200)
t.try(ngx.redirect, "/x", 404)
t.try(ngx.redirect, "/x", 304)
t.try(ngx.redirect)
