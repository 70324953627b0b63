-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_redirect.lua.
return ngx.redirect("/login", 303)
