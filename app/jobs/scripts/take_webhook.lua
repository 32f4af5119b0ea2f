-- Take a job whose webhook is due, so that no other sender takes it for a while.
-- Answers the job's id; nothing if no webhook is due.

local webhooks = KEYS[1]                     -- sorted set: jobs whose webhook is due, by when
local now = ARGV[1]                          -- the time, in seconds since 1970
local taken_until = ARGV[2]                  -- when others may take it, should this sender die

local job_id = redis.call('ZRANGEBYSCORE', webhooks, '-inf', now, 'LIMIT', 0, 1)[1]
if job_id then redis.call('ZADD', webhooks, taken_until, job_id) end
return job_id
