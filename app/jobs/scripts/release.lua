-- Put the pending job with the lowest tag into RQ's list, if that is empty (`submit.lua` has the order). Answers nothing.

local rq_queue = KEYS[1]                     -- list: RQ's queue
local pending = KEYS[2]                      -- sorted set: jobs that wait, by tag
local clock = KEYS[3]                        -- string: the tag of the job that was taken last
local backlog = KEYS[4]                      -- string: seconds of work that the pending jobs are
local record_prefix = ARGV[1]                -- a record's key is this and the job's id

if redis.call('LLEN', rq_queue) > 0 then return end
local job_id, tag = unpack(redis.call('ZPOPMIN', pending))
if not job_id then return end
redis.call('SET', clock, tag)
local cost = redis.call('HGET', record_prefix .. job_id, 'cost')
if redis.call('ZCARD', pending) == 0 then redis.call('DEL', backlog)
elseif cost then redis.call('INCRBYFLOAT', backlog, '-' .. cost) end
redis.call('RPUSH', rq_queue, job_id)
