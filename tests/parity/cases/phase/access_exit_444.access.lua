-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_exit_444.lua.
ngx.exit(444)
