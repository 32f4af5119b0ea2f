-- Take a job whose webhook is due, so that no other sender takes it for a while. Owners who are busy are passed over.
--
-- Jobs that end are put into one sorted set, by whatever process ends them. From there they are sorted into one for each
-- owner, so that the many webhooks of one owner do not stand before the few of another.
-- USES webhooks
--
-- Answers the job's id and its owner; nothing if no webhook is due.

local ended = KEYS[1]                        -- sorted set: jobs whose webhook is due, not yet sorted by owner
local owners = KEYS[2]                       -- sorted set: owners, by when their next webhook is due
local record_prefix = ARGV[1]                -- a record's key is this and the job's id
local owner_prefix = ARGV[2]                 -- the key of an owner's jobs, by when their webhook is due, is this and the owner
local busy_owners = cmsgpack.unpack(ARGV[3]) -- list: owners of whom as many are being sent as may be
local seconds_taken = tonumber(ARGV[4])      -- seconds after which others may take it, should this sender die

local now = seconds_now()
for _, job_id in ipairs(redis.call('ZRANGEBYSCORE', ended, '-inf', at(now), 'LIMIT', 0, 500)) do
    local owner = redis.call('HGET', record_prefix .. job_id, 'owner')
    redis.call('ZREM', ended, job_id)
    if owner then -- otherwise the job has expired
        redis.call('ZADD', owner_prefix .. owner, at(now), job_id)
        note_next(owners, owner, owner_prefix .. owner)
    end
end

local is_busy = {}
for _, owner in ipairs(busy_owners) do is_busy[owner] = true end
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', owners, '-inf', at(now), 'LIMIT', 0, #busy_owners + 1)) do
    if not is_busy[owner] then
        local owner_jobs = owner_prefix .. owner
        local job_id = redis.call('ZRANGE', owner_jobs, 0, 0)[1]
        redis.call('ZADD', owner_jobs, at(now + seconds_taken), job_id)
        note_next(owners, owner, owner_jobs)
        return {job_id, owner}
    end
end
