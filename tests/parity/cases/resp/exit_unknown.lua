-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit with statuses that have no page.
--[=[ client
for code in (299, 399, 418, 426, 451, 499, 511, 599):
    client()
    get(f"?{code}")
    end()
]=]
ngx.exit(tonumber(ngx.var.args))
