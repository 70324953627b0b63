-- SPDX-License-Identifier: BSD-2-Clause
-- What libraries take from resty.core.base and utils.
local t = require "parity"
local base, utils = require "resty.core.base", require "resty.core.utils"
t.say(type(base.new_tab), type(base.clear_tab))
t.say(utils.str_replace_char("a-b-c", "-", "_"))
