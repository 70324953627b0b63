-- SPDX-License-Identifier: BSD-2-Clause
-- error(404) is no status.
--[=[ client
get()
]=]
error(404)
