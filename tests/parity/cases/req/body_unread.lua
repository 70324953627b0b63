-- SPDX-License-Identifier: BSD-2-Clause
-- A body that the script does not read, and a request behind it.
--[=[ client
request("POST", body="x" * 1000, close=False)
wait("done")
get()
]=]
ngx.say("done")
