-- SPDX-License-Identifier: BSD-2-Clause
-- Dictionaries by name.
local t = require "parity"
t.say(type(ngx.shared.dict), ngx.shared.nobody, type(ngx.shared))
ngx.shared.other:set("only here", 1)
t.say(ngx.shared.dict:get("only here"), ngx.shared.other:get("only here"))
ngx.shared.other:delete("only here")
