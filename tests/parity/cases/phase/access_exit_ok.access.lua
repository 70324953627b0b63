-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_exit_ok.lua.
ngx.exit(ngx.OK)
