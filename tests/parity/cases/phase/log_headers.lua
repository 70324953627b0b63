-- SPDX-License-Identifier: BSD-2-Clause
-- In the log phase the answer's head is what it was, whatever the script sets.
--[=[ client
get()
end()
notes()
logged("attempt to set ngx.status after sending out response headers")
logged("attempt to set ngx.header.HEADER after sending out response headers")
]=]
ngx.header["X-One"] = "1"
ngx.say("x")
