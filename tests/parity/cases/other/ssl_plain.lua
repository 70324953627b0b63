-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.ssl on a connection without TLS.
local t = require "parity"
local ssl = require "ngx.ssl"
t.try(ssl.server_name)
t.say(type(ssl.SSL3_VERSION), ssl.TLS1_2_VERSION)
