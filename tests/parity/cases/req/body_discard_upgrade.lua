-- SPDX-License-Identifier: BSD-2-Clause
-- The discarded body of an upgrade is no frame.
--[=[ client
open("Content-Length: 5", early=b"hello".hex())
text("a frame")
close_frame(1000)
]=]
ngx.req.discard_body()
local wb = assert(require("resty.websocket.server"):new())
require("parity").tell_frames(wb)
