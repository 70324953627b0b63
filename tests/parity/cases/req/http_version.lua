-- SPDX-License-Identifier: BSD-2-Clause
-- http_version.
--[=[ client
get()
end()
client()
get(version="1.0")
]=]
local version = tostring(ngx.req.http_version())
ngx.header.content_length = #version
ngx.print(version)
