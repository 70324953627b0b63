-- SPDX-License-Identifier: BSD-2-Clause
-- access drops the connection.
ngx.say("never")
