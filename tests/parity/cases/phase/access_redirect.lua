-- SPDX-License-Identifier: BSD-2-Clause
-- access redirects.
ngx.say("never")
