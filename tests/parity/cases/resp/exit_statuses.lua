-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit before output: the pages.
--[=[ client
for code in (200, 201, 204, 301, 302, 303, 307, 400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414,
             415, 416, 429, 500, 501, 502, 503, 504, 505, 507):
    client()
    get(f"?{code}")
    end()
]=]
ngx.exit(tonumber(ngx.var.args))
