-- SPDX-License-Identifier: BSD-2-Clause
-- access with ngx.exit(ngx.DECLINED).
ngx.say("content")
