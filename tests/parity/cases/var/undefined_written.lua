-- SPDX-License-Identifier: BSD-2-Clause
-- Names that are not to be written.
local t = require "parity"
t.try(function() ngx.var.remote_addr = "1.2.3.4" end)
t.try(function() ngx.var.uri = "/x" end)
