-- SPDX-License-Identifier: BSD-2-Clause
-- exit in a function ends the whole script.
local function inner()
    return ngx.exit(401)
end
inner()
ngx.say("never")
