-- SPDX-License-Identifier: BSD-2-Clause
-- A status and a body of the script's own, then exit.
ngx.status = 403
ngx.say("no")
ngx.exit(ngx.HTTP_OK)
