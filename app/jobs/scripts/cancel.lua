-- Cancel a job: one that waits ends at once and leaves the queue; one that runs is marked, and its worker ends it.
-- USES job
-- USES pending
--
-- Answers the job's status now; nothing if there is no such job.

local record = KEYS[1]                       -- hash: the job's record
local events = KEYS[2]                       -- stream: the job's events
local rq_job = KEYS[3]                       -- hash: RQ's message
local rq_queue = KEYS[4]                     -- list: RQ's queue
local pending = KEYS[5]                      -- sorted set: jobs that wait, by tag
local flows = KEYS[6]                        -- hash: flow -> the tag of its last job
local backlog = KEYS[7]                      -- string: seconds of work that the pending jobs are
local webhooks = KEYS[8]                     -- sorted set: jobs whose webhook is due
local waiting_owners = KEYS[9]               -- sorted set: owners of jobs that wait, by the tag of the first
local job_id = ARGV[1]                       -- the job's id
local running = ARGV[2]                      -- the status of a job that a worker has to end
local transitions = cjson.decode(ARGV[3])    -- JSON {from: {to: true}}: which status may follow which
local fields = cmsgpack.unpack(ARGV[4])      -- map: fields of the record, for a job that ends at once
local event = ARGV[5]                        -- the name of the event that it ends with
local data = ARGV[6]                         -- JSON: the event's data
local seconds_kept = ARGV[7]                 -- seconds until all of it expires
local owner_pending_prefix = ARGV[8]         -- the jobs of an owner that wait are this and the owner's name

local canceled, status = change(record, events, transitions, fields, event, data)
if not canceled then
    if status == running then redis.call('HSET', record, 'cancel_requested', '1') end
    return status
end
conclude(record, events, webhooks, job_id, seconds_kept)

local tag = tonumber(redis.call('ZSCORE', pending, job_id) or 'nan')
local owner = redis.call('HGET', record, 'owner') or ''
local was_pending = remove_pending(pending, waiting_owners, owner_pending_prefix .. owner, owner, job_id)
if was_pending then
    local cost, flow, start = unpack(redis.call('HMGET', record, 'cost', 'flow', 'start'))
    redis.call('INCRBYFLOAT', backlog, '-' .. cost)
    -- The next job of its flow takes its place, unless others stand behind it already.
    if start and tonumber(redis.call('HGET', flows, flow) or 'nan') == tag then
        redis.call('HSET', flows, flow, start)
    end
end
-- If no worker has taken it, nobody else cleans up; one that has finds that the job is over.
if redis.call('LREM', rq_queue, 1, job_id) > 0 or was_pending then redis.call('DEL', rq_job) end
return fields.status
