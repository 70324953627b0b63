-- SPDX-License-Identifier: BSD-2-Clause
-- The library's version.
local server = require "resty.websocket.server"
local client = require "resty.websocket.client"
local protocol = require "resty.websocket.protocol"
local t = require "parity"
t.say(server._VERSION, client._VERSION, protocol._VERSION)
