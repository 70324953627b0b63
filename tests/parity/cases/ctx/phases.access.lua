-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of phases.lua.
ngx.ctx.access = "access"
