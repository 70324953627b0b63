-- SPDX-License-Identifier: BSD-2-Clause
-- A status that is set.
ngx.status = 202
ngx.say(ngx.status)
