-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_headers.lua.
ngx.req.set_header("X-One", "set in access")
ngx.req.clear_header("X-Two")
ngx.header["X-Access"] = "yes"
