-- SPDX-License-Identifier: BSD-2-Clause
-- access answers by itself.
ngx.say("never")
