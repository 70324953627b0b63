-- SPDX-License-Identifier: BSD-2-Clause
-- An error in access.
ngx.say("never")
