-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of names.lua.
ngx.ctx.access = ngx.get_phase()
