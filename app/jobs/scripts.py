"""What the queue does in Redis in one go, so that nothing is ever half done.

The order of the queue is that of self-clocked fair queueing (Golestani 1994, doi:10.1109/INFCOM.1994.337677): a job of
`cost` seconds, in the flow of its owner and priority, is marked with

    tag = max(clock, tag of the last job of this flow) + cost / weight

and the lowest tag is next; the clock shows the tag of the job that was taken last. So owners share the workers alike,
priorities by their weights, and none waits for ever.

Jobs with tags wait in a sorted set; the next one, or a few, stand in RQ's list, where workers take them.
"""

# Keys: record, events, RQ's job, RQ's list, pending, flows, clock, backlog, jobs of all, jobs of the owner, idempotency.
# Arguments: id, cost, flow, weight, most jobs that may wait, seconds that all is kept, hash of the body ("": no
# idempotency key), seconds that the key is kept, oldest id to list, number of fields of the record; then these fields
# with their values, then those of RQ's job. Answers what became of it, and the id of the job or how many wait.
SUBMIT = """
if ARGV[7] ~= '' then
    local known = redis.call('HMGET', KEYS[11], 'job', 'body')
    if known[1] and redis.call('EXISTS', 'digress:job:' .. known[1]) == 1 then
        if known[2] == ARGV[7] then return {'known', known[1]} end
        return {'other', known[1]}
    end
end
local waiting = redis.call('LLEN', KEYS[4]) + redis.call('ZCARD', KEYS[5])
if waiting >= tonumber(ARGV[5]) then return {'full', tostring(waiting)} end

local last = 10 + 2 * tonumber(ARGV[10])
redis.call('HSET', KEYS[1], 'cost', ARGV[2], unpack(ARGV, 11, last))
redis.call('HSET', KEYS[3], unpack(ARGV, last + 1))
redis.call('XADD', KEYS[2], '*', 'event', 'status', 'data', '{"status": "queued"}')
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
for _, list in ipairs({KEYS[9], KEYS[10]}) do
    redis.call('ZREMRANGEBYLEX', list, '-', '(' .. ARGV[9])
    -- More than one goes for each that comes, so that those that are forgotten never pile up.
    for _, id in ipairs(redis.call('ZRANGE', list, 0, 9)) do
        if redis.call('EXISTS', 'digress:job:' .. id) == 0 then redis.call('ZREM', list, id) end
    end
    redis.call('ZADD', list, 0, ARGV[1])
    redis.call('EXPIRE', list, ARGV[6])
end
if ARGV[7] ~= '' then
    redis.call('HSET', KEYS[11], 'job', ARGV[1], 'body', ARGV[7])
    redis.call('EXPIRE', KEYS[11], ARGV[8])
end

local clock = tonumber(redis.call('GET', KEYS[7]) or '0')
local start = math.max(clock, tonumber(redis.call('HGET', KEYS[6], ARGV[3]) or '0'))
local tag = string.format('%.17g', start + tonumber(ARGV[2]) / tonumber(ARGV[4]))
redis.call('HSET', KEYS[6], ARGV[3], tag)
redis.call('HSET', KEYS[1], 'flow', ARGV[3], 'start', string.format('%.17g', start))
if waiting == 0 then
    redis.call('SET', KEYS[7], tag)
    redis.call('RPUSH', KEYS[4], ARGV[1])
else
    redis.call('ZADD', KEYS[5], tag, ARGV[1])
    redis.call('INCRBYFLOAT', KEYS[8], ARGV[2])
end
return {'queued', ARGV[1]}
"""

# Keys: record, events, RQ's job, RQ's list, pending, backlog, webhooks, flows. Arguments: id, now, when it is forgotten, the
# seconds until then. Answers what the status is now.
CANCEL = """
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'queued' then
    redis.call('HSET', KEYS[1], 'status', 'canceled', 'finished_at', ARGV[2], 'expires_at', ARGV[3])
    redis.call('XADD', KEYS[2], '*', 'event', 'canceled', 'data', '{}')
    if redis.call('HEXISTS', KEYS[1], 'webhook') == 1 then redis.call('ZADD', KEYS[7], 0, ARGV[1]) end
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    local tag = tonumber(redis.call('ZSCORE', KEYS[5], ARGV[1]) or 'nan')
    local waited = redis.call('ZREM', KEYS[5], ARGV[1])
    if waited == 1 then
        redis.call('INCRBYFLOAT', KEYS[6], '-' .. redis.call('HGET', KEYS[1], 'cost'))
        -- The next job of its flow takes its place, unless others stand behind it already.
        local flow, start = unpack(redis.call('HMGET', KEYS[1], 'flow', 'start'))
        if start and tonumber(redis.call('HGET', KEYS[8], flow) or 'nan') == tag then
            redis.call('HSET', KEYS[8], flow, start)
        end
    end
    -- If no worker has taken it, nobody else will clean up; one that has finds that the job is over.
    if waited + redis.call('LREM', KEYS[4], 1, ARGV[1]) > 0 then redis.call('DEL', KEYS[3]) end
    return 'canceled'
end
if status == 'running' then redis.call('HSET', KEYS[1], 'cancel_requested', '1') end
return status
"""

# Keys: RQ's list, pending. Answers the job that was made first of all that wait; ids sort by time.
OLDEST = """
local oldest = false
for _, ids in ipairs({redis.call('LRANGE', KEYS[1], 0, -1), redis.call('ZRANGE', KEYS[2], 0, -1)}) do
    for _, id in ipairs(ids) do if not oldest or id < oldest then oldest = id end end
end
return oldest
"""
