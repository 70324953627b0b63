-- SPDX-License-Identifier: BSD-2-Clause
-- The status lines of many statuses.
--[=[ client
for code in (200, 201, 202, 204, 206, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412,
             413, 414, 415, 416, 421, 429, 500, 501, 502, 503, 504, 505, 507):
    client()
    get(f"?{code}")
    end()
]=]
ngx.status = tonumber(ngx.var.args)
ngx.header.content_length = 0
ngx.send_headers()
