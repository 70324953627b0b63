-- SPDX-License-Identifier: BSD-2-Clause
-- Two megabytes of output.
local block = ("0123456789abcdef"):rep(4096)
for _ = 1, 32 do
    ngx.print(block)
end
