-- SPDX-License-Identifier: BSD-2-Clause
-- Modules that are there.
local t = require "parity"
for _, name in ipairs { "ngx.re", "ngx.semaphore", "ngx.resp", "ngx.req", "ngx.errlog", "ngx.process", "ngx.base64", "ngx.ssl",
    "resty.core", "resty.core.base", "resty.core.utils", "resty.core.socket", "resty.core.time", "resty.core.regex", "resty.core.ctx",
    "resty.core.shdict", "resty.core.var", "resty.core.request", "resty.core.response", "resty.core.base64", "resty.core.hash",
    "resty.core.misc", "resty.core.worker", "resty.core.uri", "resty.core.exit", "resty.core.phase" } do
    t.say(name, (pcall(require, name)))
end
