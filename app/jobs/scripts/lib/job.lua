-- What scripts have in common that write a job. A script with the line "-- USES job" begins with these functions.

local MAX_EVENTS = 1000 -- about as many are kept in a job's stream

-- Set fields of a hash, given as {name: value}, in one command. They must be few: Lua unpacks about 8,000 values at most.
local function set_fields(hash, fields)
    local pairs_in_line = {}
    for name, value in pairs(fields) do
        pairs_in_line[#pairs_in_line + 1] = name
        pairs_in_line[#pairs_in_line + 1] = value
    end
    redis.call('HSET', hash, unpack(pairs_in_line))
end

-- Write fields to a job's record and append an event to its stream, if the status in `fields` may follow the one
-- that the job has. Without a status in `fields` the status stays, which must be allowed too.
-- Returns whether that was done, and the status before; false for a job that there is not.
local function change(record, events, transitions, fields, event, data)
    local status = redis.call('HGET', record, 'status')
    local after = status and transitions[status]
    if not after or not after[fields.status or status] then return false, status end
    set_fields(record, fields)
    redis.call('XADD', events, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', event, 'data', data)
    redis.call('PUBLISH', events, event) -- a channel that is named as the stream: it wakes those who follow the job
    return true, status
end

-- Count a job no more among those of its owner that wait or run. `open` is the hash of these.
local function close_job(open, job_id)
    local cost = redis.call('HGET', open, job_id)
    if not cost then return end
    redis.call('HDEL', open, job_id)
    redis.call('HINCRBYFLOAT', open, 'all', '-' .. cost)
    -- Sums of fractions drift, so that nothing is exactly nothing.
    if redis.call('HLEN', open) == 1 then redis.call('DEL', open) end
end

-- What follows the change that ends a job: its owner may have another, its webhook is due, and all that is known of it expires.
local function conclude(record, events, webhooks, job_id, seconds_kept)
    local open = redis.call('HGET', record, 'open')
    if open then close_job(open, job_id) end
    if redis.call('HEXISTS', record, 'webhook') == 1 then redis.call('ZADD', webhooks, 0, job_id) end
    redis.call('EXPIRE', record, seconds_kept)
    redis.call('EXPIRE', events, seconds_kept)
end
