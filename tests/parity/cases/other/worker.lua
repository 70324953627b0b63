-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.worker.
local t = require "parity"
t.say(ngx.worker.exiting(), ngx.worker.count(), ngx.worker.id(), type(ngx.worker.pid()))
t.say(type(ngx.worker.pids), (pcall(ngx.worker.pids)))
