-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_exit_declined.lua.
ngx.exit(ngx.DECLINED)
