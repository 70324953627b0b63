-- SPDX-License-Identifier: BSD-2-Clause
-- A module that is nowhere.
local t = require "parity"
local ok, err = pcall(require, "nowhere.to.be.found")
t.say(ok, err:match("module '[^']+' not found"))
