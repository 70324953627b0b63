-- SPDX-License-Identifier: BSD-2-Clause
-- m and s.
local t = require "parity"
t.say(ngx.re.match("one\ntwo", "^two$"), ngx.re.match("one\ntwo", "^two$", "m"))
t.say(ngx.re.match("one\ntwo", "one.two"), ngx.re.match("one\ntwo", "one.two", "s"))
t.say(ngx.re.match("one", "o n e # comment", "x"))
t.say(ngx.re.match("xone", "one", "a"), ngx.re.match("onex", "one", "a"))
