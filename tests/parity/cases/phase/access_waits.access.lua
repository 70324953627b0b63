-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_waits.lua.
ngx.sleep(0.005)
ngx.ctx.slept = "slept"
