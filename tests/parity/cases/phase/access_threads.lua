-- SPDX-License-Identifier: BSD-2-Clause
-- access with threads.
ngx.say("content ", ngx.ctx.sum)
