-- SPDX-License-Identifier: BSD-2-Clause
-- ngx.exit after output only ends.
ngx.say("begun")
ngx.exit(404)
ngx.say("never")
