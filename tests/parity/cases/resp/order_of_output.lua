-- SPDX-License-Identifier: BSD-2-Clause
-- say, flush, sleep: the output in its order.
--[=[ client
get()
wait("one")
wait("two")
]=]
ngx.say("one")
ngx.flush(true)
ngx.sleep(0.005)
ngx.print("two")
ngx.print(" three\n")
ngx.flush(true)
ngx.say("four")
