-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_says.lua.
ngx.status = 401
ngx.header["WWW-Authenticate"] = "Token"
ngx.say("who are you?")
return ngx.exit(401)
