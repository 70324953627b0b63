-- SPDX-License-Identifier: BSD-2-Clause
-- jit, bit and ffi.
local t = require "parity"
local bit, ffi = require "bit", require "ffi"
t.say(type(jit), jit.status(), bit.band(0xff, 0x0f), ffi.sizeof("int"), ffi.abi("le"))
t.say((pcall(require, "jit.v")))
t.say((pcall(require, "jit.dump")))
