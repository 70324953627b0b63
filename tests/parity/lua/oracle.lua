-- SPDX-License-Identifier: BSD-2-Clause
-- The oracle's library by the names of the original; then what is done on both sides.
for _, name in ipairs { "protocol", "server", "client" } do
    package.preload["resty.websocket." .. name] = function()
        return require("nginx.websocket." .. name)
    end
end
dofile((package.searchpath("parity", package.path):gsub("parity%.lua$", "init.lua")))
