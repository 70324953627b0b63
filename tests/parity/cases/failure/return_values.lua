-- SPDX-License-Identifier: BSD-2-Clause
-- What the script returns does not matter.
ngx.say("x")
return 500, "nothing"
