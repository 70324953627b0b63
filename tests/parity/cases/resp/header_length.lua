-- SPDX-License-Identifier: BSD-2-Clause
-- Content-Length instead of chunks.
ngx.header["Content-Length"] = 6
ngx.say("hello")
