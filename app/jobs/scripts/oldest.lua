-- Answers the id of the job that was made first of all that wait; nothing if none waits. Ids sort by time.

local rq_queue = KEYS[1]                     -- list: RQ's queue
local pending = KEYS[2]                      -- sorted set: jobs that wait, by tag

local oldest = false
for _, ids in ipairs({redis.call('LRANGE', rq_queue, 0, -1), redis.call('ZRANGE', pending, 0, -1)}) do
    for _, id in ipairs(ids) do
        if not oldest or id < oldest then oldest = id end
    end
end
return oldest
