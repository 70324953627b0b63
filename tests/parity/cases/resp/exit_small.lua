-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit with what is no status.
--[=[ client
for code in (0, -1, -2, -4, -5, 1, 99, 100, 101, 199, 1000):
    client()
    get(f"?{code}")
    end()
]=]
ngx.exit(tonumber(ngx.var.args))
