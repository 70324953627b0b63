-- SPDX-License-Identifier: BSD-2-Clause
-- Objects without a socket.
local server = require "resty.websocket.server"
local t = require "parity"
t.say(server.set_timeout({}, 100))
t.say(server.recv_frame({}))
t.say(server.send_frame({}, true, 1, "x"))
t.say(server.send_text({}, "x"))
t.say(server.send_binary({}, "x"))
t.say(server.send_ping({}, "x"))
t.say(server.send_pong({}, "x"))
t.say(server.send_close({}, 1000, "x"))
t.say(server.recv_frame({ fatal = true }))
t.say(server.send_text({ fatal = true }, "x"))
t.say(server.send_close({ fatal = true }, 1000, "x"))
t.say(server.set_timeout({ fatal = true }, 1))
