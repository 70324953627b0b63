-- SPDX-License-Identifier: BSD-2-Clause
-- The access phase of access_error.lua.
error("broken")
