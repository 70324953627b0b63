-- SPDX-License-Identifier: BSD-2-Clause
-- 204 and 304 have no body.
--[=[ client
for code in (204, 304):
    client()
    get(f"?{code}")
    end()
]=]
ngx.status = tonumber(ngx.var.args)
ngx.exit(ngx.status)
