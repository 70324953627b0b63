-- SPDX-License-Identifier: BSD-2-Clause
-- A body that was read is not discarded any more.
--[=[ client
request("POST", body="a=1")
]=]
local t = require "parity"
ngx.req.read_body()
t.try(ngx.req.discard_body)
t.try(ngx.req.get_body_data)
t.try(ngx.req.get_post_args)
