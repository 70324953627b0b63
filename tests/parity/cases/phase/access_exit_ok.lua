-- SPDX-License-Identifier: BSD-2-Clause
-- access with ngx.exit(ngx.OK) lets through.
ngx.say("content")
