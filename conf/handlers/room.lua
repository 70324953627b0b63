-- SPDX-License-Identifier: BSD-2-Clause
-- A module, for chat.lua and publish.lua: a room whose members may be on any worker.
--
--     [moongate]
--     lua_package_path = handlers/?.lua;;
--
--     [shared_dict room]
--     size = 1m
--
-- Every worker has a Lua VM of its own and loads this file once; the local variables here are the
-- worker's, only ngx.shared is everybody's. So a message is put into ngx.shared, numbered; each worker that
-- has members looks for the next number, and wakes its members up by their semaphores, which
-- reach no further than a worker.

local semaphore = require "ngx.semaphore"

local dict = ngx.shared.room
local KEPT = 60      -- seconds that a message stays in ngx.shared
local LOOK = 0.05    -- seconds between two looks at it
local MOST = 100     -- messages that may wait for one member

local room = {}
local members = {}   -- of this worker
local seen           -- number of the last message that its members have got
local is_looking     -- a timer runs

-- Gives what is new to all members of this worker.
local function look()
    local text = dict:get(seen + 1)
    while text do
        seen = seen + 1
        for member in pairs(members) do
            if #member.queue < MOST then
                table.insert(member.queue, text)
            else
                member.is_slow = true
            end
            member.news:post()
        end
        text = dict:get(seen + 1)
    end
end

-- Runs as long as the worker has members; after a reload in the old VM too, for those who are still there.
local function keep_looking()
    while next(members) and not ngx.worker.exiting() do
        look()
        ngx.sleep(LOOK)
    end
    is_looking = false
end

-- To all members, everywhere. Returns true, or nil and why not.
function room.say(text)
    local number = (dict:get("said") or 0) + 1
    local ok, err = dict:add(number, text, KEPT)
    while not ok do
        if err ~= "exists" then
            return nil, err
        end
        -- Another worker was faster: then this is the one after.
        number = number + 1
        ok, err = dict:add(number, text, KEPT)
    end
    dict:incr("said", 1, 0)
    if next(members) then
        look()
    end
    return true
end

-- A new member, who gets what is said from now on.
function room.join()
    if not is_looking then
        local ok, err = ngx.timer.at(0, keep_looking)
        if not ok then
            return nil, err
        end
        is_looking = true
    end
    if not next(members) then
        seen = dict:get("said") or 0
    end
    local member = { queue = {}, news = semaphore.new() }
    members[member] = true
    return member
end

-- Waits for the next message. nil: the member has left, or takes less than is said.
function room.wait(member)
    while not member.queue[1] do
        if member.has_left then
            return nil, "left"
        end
        member.news:wait(60)
    end
    if member.is_slow then
        return nil, "too slow"
    end
    return table.remove(member.queue, 1)
end

function room.leave(member)
    members[member] = nil
    member.queue, member.has_left = {}, true
    member.news:post()
end

return room
