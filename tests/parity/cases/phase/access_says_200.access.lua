-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_says_200.lua.
ngx.say("from access")
return ngx.exit(200)
