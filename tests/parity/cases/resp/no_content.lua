-- SPDX-License-Identifier: BSD-2-Clause
-- 204 has no body.
--[=[ client
get()
]=]
ngx.exit(204)
