-- SPDX-License-Identifier: BSD-2-Clause
-- Names that nobody has defined.
local t = require "parity"
t.say(ngx.var.nobody_has_this, ngx.var[""], ngx.var.arg_none)
t.say(ngx.var[1], ngx.var[0], ngx.var[10])
