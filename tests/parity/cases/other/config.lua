-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.config.
local t = require "parity"
t.say(ngx.config.subsystem, type(ngx.config.debug), type(ngx.config.prefix()), type(ngx.config.nginx_version),
    type(ngx.config.nginx_configure()), type(ngx.config.ngx_lua_version))
