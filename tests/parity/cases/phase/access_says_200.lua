-- SPDX-License-Identifier: BSD-2-Clause
-- access answers with 200.
ngx.say("never")
