-- What the scripts about webhooks have in common. A script with the line "-- USES webhooks" begins with these functions.

-- The time, in seconds since 1970.
local function seconds_now()
    local seconds, microseconds = unpack(redis.call('TIME'))
    return tonumber(seconds) + tonumber(microseconds) / 1e6
end

local function at(seconds) return string.format('%.3f', seconds) end

-- Note when an owner's next webhook is due; forget an owner who has none.
local function note_next(owners, owner, owner_jobs)
    local next_due = redis.call('ZRANGE', owner_jobs, 0, 0, 'WITHSCORES')[2]
    if next_due then
        redis.call('ZADD', owners, next_due, owner)
    else
        redis.call('ZREM', owners, owner)
    end
end
