-- SPDX-License-Identifier: BSD-2-Clause
-- Objects without a socket.
local client = require "resty.websocket.client"
local t = require "parity"
t.say(client.connect({}, "ws://127.0.0.1/"))
t.say(client.set_timeout({}, 1))
t.say(client.recv_frame({}))
t.say(client.send_text({}, "x"))
t.say(client.send_text({ closed = true }, "x"))
t.say(client.send_text({ closed = true, fatal = true }, "x"))
t.say(client.send_close({}, 1000))
t.say(client.close({}))
t.say(client.close({ fatal = true }))
t.say(client.set_keepalive({}, 1))
