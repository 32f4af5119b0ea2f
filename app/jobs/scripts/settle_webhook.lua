-- A webhook was sent, or it failed and is due again later, or not any more after the last try.
-- USES webhooks
--
-- Answers how often it has failed; 0 if it was sent, or its job has expired, whose record does not come back.

local record = KEYS[1]                       -- hash: the job's record
local owners = KEYS[2]                       -- sorted set: owners, by when their next webhook is due
local owner_jobs = KEYS[3]                   -- sorted set: the owner's jobs, by when their webhook is due
local owner = ARGV[1]                        -- the job's owner
local job_id = ARGV[2]                       -- the job's id
local delays = cmsgpack.unpack(ARGV[3])      -- list: seconds from each failure to the next try; empty if it was sent

local tries = 0
if #delays > 0 and redis.call('EXISTS', record) == 1 then tries = redis.call('HINCRBY', record, 'webhook_tries', 1) end
if delays[tries] then
    redis.call('ZADD', owner_jobs, at(seconds_now() + tonumber(delays[tries])), job_id)
else
    redis.call('ZREM', owner_jobs, job_id)
end
note_next(owners, owner, owner_jobs)
return tries
