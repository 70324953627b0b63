-- SPDX-License-Identifier: BSD-2-Clause
-- A client's certificate in the phases around the script, once its connection may be gone.
--[=[ client
client(tls={"name": "app.parity", "certificate": True})
get()
end()
notes()
]=]
require("parity").say(ngx.ctx.name)
