-- SPDX-License-Identifier: BSD-2-Clause
-- capacity and free_space.
local t = require "parity"
local d = ngx.shared.dict
t.say(type(d:capacity()), d:capacity())
t.say(type(d:free_space()), d:free_space() <= d:capacity())
