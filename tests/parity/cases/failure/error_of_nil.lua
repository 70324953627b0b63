-- SPDX-License-Identifier: BSD-2-Clause
-- error(nil).
--[=[ client
get()
]=]
error(nil)
