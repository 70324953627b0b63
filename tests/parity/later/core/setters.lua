-- SPDX-License-Identifier: BSD-2-Clause
-- What resty.core's modules have for other libraries.
local t = require "parity"
local set_resp = require("resty.core.response").set_resp_header
local set_req = require("resty.core.request").set_req_header
set_resp(nil, "X-One", "a")
set_resp(nil, "X-One", "b", true)
set_resp(nil, "X-Two", "a")
set_resp(nil, "X-Two", "c")
set_req("X-Mine", "a", true)
set_req("X-Mine", "b", false)
set_req("X-Other", "a", false)
set_req("X-Other", "c", true)
t.say(ngx.req.get_headers()["x-mine"], ngx.req.get_headers()["x-other"])
