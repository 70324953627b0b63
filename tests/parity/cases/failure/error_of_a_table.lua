-- SPDX-License-Identifier: BSD-2-Clause
-- error({}).
--[=[ client
get()
]=]
error({ "table" })
