-- SPDX-License-Identifier: BSD-2-Clause
-- What is left to do after eof.
--[=[ client
get()
end()
notes()
]=]
local t = require "parity"
local n = t.notes()
ngx.say("x")
ngx.eof()
n.note(ngx.flush())
n.note(ngx.flush(true))
n.note(ngx.print("y"))
n.note(ngx.send_headers())
n.note(ngx.headers_sent)
n.done()
