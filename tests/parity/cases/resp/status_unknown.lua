-- SPDX-License-Identifier: BSD-2-Clause
-- Statuses without a name.
--[=[ client
for code in (299, 418, 426, 431, 599, 999):
    client()
    get(f"?{code}")
    end()
]=]
ngx.status = tonumber(ngx.var.args)
ngx.header.content_length = 0
ngx.send_headers()
