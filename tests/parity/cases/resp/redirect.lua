-- SPDX-License-Identifier: BSD-2-Clause
-- redirect with its statuses.
--[=[ client
for code in (301, 302, 303, 307, 308):
    client()
    get(f"?{code}")
    end()
]=]
ngx.redirect("/elsewhere?a=b", tonumber(ngx.var.args))
