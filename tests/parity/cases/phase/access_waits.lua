-- SPDX-License-Identifier: BSD-2-Clause
-- access yields before it lets through.
ngx.say("content ", ngx.ctx.slept)
