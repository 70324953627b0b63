-- SPDX-License-Identifier: BSD-2-Clause
-- A script without output.
--[=[ client
show_chunks()
get()
]=]
return
