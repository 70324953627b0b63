-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_early_data.lua.
ngx.sleep(0.01)
