-- SPDX-License-Identifier: BSD-2-Clause
-- access refuses.
ngx.say("never")
