-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_of_upgrade.lua.
if ngx.var.http_x_token ~= "good" then
    return ngx.exit(401)
end
ngx.ctx.user = "a user"
