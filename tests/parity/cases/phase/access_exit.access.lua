-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_exit.lua.
ngx.exit(403)
