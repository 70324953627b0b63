-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_passes.lua.
ngx.ctx.seen = ngx.var.uri
