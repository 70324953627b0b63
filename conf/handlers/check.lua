-- SPDX-License-Identifier: BSD-2-Clause
-- The service that token.lua asks, for the demonstration: plain HTTP, answered by a script. It knows two tokens.
--
--     [route tokens]
--     listener = tokens
--     path = /check
--     handler = handlers/check.lua

local users = { ["Bearer moon"] = "anne", ["Bearer gate"] = "bert" }

local user = users[ngx.var.http_authorization]
if not user then
    return ngx.exit(403)
end
ngx.header["X-User"] = user
ngx.exit(204)
