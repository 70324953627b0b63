-- SPDX-License-Identifier: BSD-2-Clause
-- A plain request.
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server:new())
