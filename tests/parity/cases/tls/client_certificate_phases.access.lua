-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of client_certificate_phases.lua.
ngx.ctx.name = ngx.var.ssl_client_s_dn
