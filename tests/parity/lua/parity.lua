-- SPDX-License-Identifier: BSD-2-Clause
-- What the scripts of the cases report with: values as text, by body, frame or note.
local t = {}

local function quote(s)
    return '"' .. s:gsub('[%c\\"\127-\255]', function(c)
        local short = { ["\n"] = "\\n", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"' }
        return short[c] or string.format("\\%03d", c:byte())
    end) .. '"'
end

local function by_name(a, b)
    if type(a) == type(b) and type(a) ~= "boolean" then
        return a < b
    end
    return tostring(a) < tostring(b)
end

local function describe(value, depth)
    local kind = type(value)
    if kind == "string" then
        return quote(value)
    elseif kind == "number" then
        return string.format("%.14g", value)
    elseif kind == "nil" or kind == "boolean" then
        return tostring(value)
    elseif value == ngx.null then
        return "null"
    elseif kind ~= "table" or depth > 4 then
        return "<" .. kind .. ">"
    end
    local keys, out = {}, {}
    for k in pairs(value) do
        keys[#keys + 1] = k
    end
    table.sort(keys, by_name)
    for i, k in ipairs(keys) do
        local v = describe(value[k], depth + 1)
        out[i] = k == i and v or (type(k) == "string" and k or "[" .. describe(k, depth + 1) .. "]") .. " = " .. v
    end
    return "{" .. table.concat(out, ", ") .. "}"
end

-- All values, nil at the end included, as one line.
function t.show(...)
    local out = {}
    for i = 1, select("#", ...) do
        out[i] = describe((select(i, ...)), 0)
    end
    return table.concat(out, ", ")
end

-- Without the place in some library at which an error was raised.
local function placeless(err)
    return type(err) == "string" and err:gsub("^[^ \n]+:%d+: ", "") or t.show(err)
end
t.placeless = placeless

-- The words for arguments of a wrong kind or number are nobody's contract. (That a function is not there
-- at all has other words.)
local ARGUMENTS = {
    "expected", "expecting %d", "expecting one", "expecting at least", "arguments?, but", "argument only",
    "cannot convert", "bad data type", "not a semaphore instance", "should be a table", "^attempt to compare",
    "^attempt to perform", "^attempt to get length", "^attempt to concatenate",
}

-- What the oracle says where it does not know its phase, in the words that it has else.
local VAGUE = {
    ["no request found"] = true, ["no request object found"] = true, ["no request"] = true,
    ["API disabled in the current context"] = true,
}
local CONTEXTS = {
    init = "init_by_lua*", init_worker = "init_worker_by_lua*", log = "log_by_lua*", timer = "ngx.timer",
}

local function outcome(ok, ...)
    if ok then
        return t.show(...)
    end
    local err = placeless((...))
    if VAGUE[err] then
        return "raised: API disabled in the context of " .. CONTEXTS[ngx.get_phase()]
    end
    err = err:match("^bad argument #%d+ to '[^']*' %((.*)%)$") or err
    for _, pattern in ipairs(ARGUMENTS) do
        if err:find(pattern) then
            return "raised: of its arguments"
        end
    end
    return "raised: " .. err
end

-- What a call returns or raises, as text.
function t.attempt(f, ...)
    return outcome(pcall(f, ...))
end

function t.say(...)
    ngx.say(t.show(...))
end

function t.try(f, ...)
    ngx.say(t.attempt(f, ...))
end

-- As a frame on a server's or client's socket, whatever the state of the object.
function t.tell(wb, ...)
    return require("resty.websocket.protocol").send_frame(wb.sock, true, 0x1, t.show(...), 65535)
end

-- Tells what each call of recv_frame returns, until one has no data and no timeout.
function t.tell_frames(wb)
    repeat
        local data, typ, err = wb:recv_frame()
        t.tell(wb, data, typ, err)
    until wb.fatal or typ == "close"
end

-- Where the case's upstream block listens.
function t.port()
    return tonumber(ngx.var.http_upstream_port)
end

function t.path()
    return ngx.var.http_upstream_path
end

function t.udp_port()
    return tonumber(ngx.var.http_udp_port)
end

-- The text of a file of the run's keys: ca, server or client, .pem or .key.
function t.key_file(name)
    local folder = package.searchpath("parity", package.path):match("^(.*)/lua/parity%.lua$")
    local file = assert(io.open(folder .. "/keys/" .. name))
    local text = file:read("*a")
    file:close()
    return text
end

-- A connected cosocket to it.
function t.connect(opts)
    local sock = ngx.socket.tcp()
    sock:settimeout(8000)
    assert(sock:connect("127.0.0.1", t.port(), opts))
    return sock
end

-- A place for lines that outlives the request; usable from anywhere once made in it.
function t.notes()
    local name, dict = ngx.var.uri, ngx.shared.notes
    local notes = {}
    function notes.note(...)
        assert(dict:rpush(name, t.show(...)))
    end
    function notes.done()
        assert(dict:set(name .. " done", true))
    end
    return notes
end

return t
