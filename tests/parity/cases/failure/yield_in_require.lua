-- SPDX-License-Identifier: BSD-2-Clause
-- No yield while a module is loaded.
local t = require "parity"
package.preload["yields.when.loaded"] = function()
    ngx.sleep(0.001)
    return {}
end
t.try(require, "yields.when.loaded")
