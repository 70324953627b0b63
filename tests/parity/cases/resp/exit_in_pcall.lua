-- SPDX-License-Identifier: BSD-2-Clause
-- exit cannot be caught.
local ok, err = pcall(function()
    ngx.exit(403)
end)
ngx.say("never ", ok, " ", err)
