-- SPDX-License-Identifier: BSD-2-Clause
-- A socket in a module that is loaded now.
local t = require "parity"
package.preload["parity.makes.socket"] = function()
    return { type(ngx.socket.tcp()) }
end
t.say(require("parity.makes.socket"))
