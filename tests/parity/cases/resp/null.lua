-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.null.
local t = require "parity"
t.say(type(ngx.null), tostring(ngx.null), ngx.null == nil, ngx.null == ngx.null)
