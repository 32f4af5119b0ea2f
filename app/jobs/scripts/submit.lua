-- Queue a job: its record and first event, RQ's message, its places in the lists of jobs, and its turn.
--
-- The order of the queue is that of self-clocked fair queueing (Golestani 1994, doi:10.1109/INFCOM.1994.337677). A job of
-- `cost` seconds, in the flow of its owner and priority, is marked with
--
--     tag = max(clock, tag of the last job of this flow) + cost / weight
--
-- and the lowest tag is next; the clock shows the tag of the job that was taken last. So owners share the workers alike,
-- priorities by their weights, and none waits for ever. Jobs with tags wait in `pending`. The next one, or a few, stand in
-- RQ's list, where workers take them.
-- USES job
-- USES pending
--
-- Answers what became of it, and:
--   queued         the job's id
--   replayed       the id of the job that an earlier request with this idempotency key and body gave
--   key_reused     the id of the job that this idempotency key with another body gave
--   full           how many jobs wait
--   owner_jobs     how many jobs of the owner wait or run: no more may; and how many seconds of work they are
--   owner_seconds  the same: with this one they would be more work than may be. An owner may always have one

local record = KEYS[1]                       -- hash: the job's record
local events = KEYS[2]                       -- stream: the job's events
local rq_job = KEYS[3]                       -- hash: RQ's message
local rq_queue = KEYS[4]                     -- list: RQ's queue
local pending = KEYS[5]                      -- sorted set: jobs that wait, by tag
local flows = KEYS[6]                        -- hash: flow -> the tag of its last job
local clock = KEYS[7]                        -- string: the tag of the job that was taken last
local backlog = KEYS[8]                      -- string: seconds of work that the pending jobs are
local all_jobs = KEYS[9]                     -- sorted set: ids of all jobs
local owner_jobs = KEYS[10]                  -- sorted set: ids of the owner's jobs
local idempotency = KEYS[11]                 -- hash: the job and the body that the idempotency key stands for
local open = KEYS[12]                        -- hash: the owner's jobs that wait or run -> seconds of work, and their sum
local owner_pending = KEYS[13]               -- sorted set: jobs of the owner that wait, by tag
local waiting_owners = KEYS[14]              -- sorted set: owners of jobs that wait, by the tag of the first
local job_id = ARGV[1]                       -- the job's id
local cost = ARGV[2]                         -- seconds of work that the job is
local flow = ARGV[3]                         -- its owner and priority
local weight = tonumber(ARGV[4])             -- the priority's share of the turns
local max_waiting = tonumber(ARGV[5])        -- the most jobs that may wait
local seconds_kept = ARGV[6]                 -- seconds until a job that never ends expires
local body = ARGV[7]                         -- a hash of the request; empty without an idempotency key
local seconds_key_kept = ARGV[8]             -- seconds until the idempotency key is forgotten
local oldest_id = ARGV[9]                    -- ids before this one are no longer listed
local record_prefix = ARGV[10]               -- a record's key is this and the job's id
local fields = cmsgpack.unpack(ARGV[11])     -- map: fields of the record
local message = cmsgpack.unpack(ARGV[12])    -- map: fields of RQ's message
local status_data = ARGV[13]                 -- JSON: the data of the first event
local owner = ARGV[14]                       -- whose job it is
local max_owner_jobs = tonumber(ARGV[15])    -- the most jobs of one owner that may wait or run
local max_owner_seconds = tonumber(ARGV[16]) -- the most seconds of work that these may be

local LOOKED_AT = 10 -- jobs that are looked at when an owner may have no more

local function job_exists(id) return redis.call('EXISTS', record_prefix .. id) == 1 end

if body ~= '' then
    local known_id, known_body = unpack(redis.call('HMGET', idempotency, 'job', 'body'))
    if known_id and job_exists(known_id) then
        return {known_body == body and 'replayed' or 'key_reused', known_id}
    end
end

-- How many of the owner's jobs wait or run, and how many seconds of work they are.
local function open_work()
    local sum = redis.call('HGET', open, 'all')
    return sum and redis.call('HLEN', open) - 1 or 0, tonumber(sum or '0')
end

-- Which of the owner's limits the job would exceed, if any, with the numbers as above.
local function exceeded()
    local jobs, seconds = open_work()
    if jobs >= max_owner_jobs then return 'owner_jobs', jobs, seconds end
    if jobs > 0 and seconds + tonumber(cost) > max_owner_seconds then return 'owner_seconds', jobs, seconds end
end

if exceeded() then
    -- Some may be gone unnoticed: expired before they ended, or ended by a worker of an older version.
    for _, id in ipairs(redis.call('HRANDFIELD', open, LOOKED_AT)) do
        local status = redis.call('HGET', record_prefix .. id, 'status')
        if id ~= 'all' and status ~= 'queued' and status ~= 'running' then close_job(open, id) end
    end
end
local limit, jobs, seconds = exceeded()
if limit then return {limit, tostring(jobs), tostring(seconds)} end

local waiting = redis.call('LLEN', rq_queue) + redis.call('ZCARD', pending)
if waiting >= max_waiting then return {'full', tostring(waiting)} end

set_fields(record, fields)
set_fields(rq_job, message)
redis.call('XADD', events, '*', 'event', 'status', 'data', status_data)
redis.call('EXPIRE', record, seconds_kept)
redis.call('EXPIRE', events, seconds_kept)
for _, jobs in ipairs({all_jobs, owner_jobs}) do
    redis.call('ZREMRANGEBYLEX', jobs, '-', '(' .. oldest_id)
    -- More than one goes for each that comes, so that those that have expired never pile up.
    for _, id in ipairs(redis.call('ZRANGE', jobs, 0, 9)) do
        if not job_exists(id) then redis.call('ZREM', jobs, id) end
    end
    redis.call('ZADD', jobs, 0, job_id)
    redis.call('EXPIRE', jobs, seconds_kept)
end
redis.call('HSET', open, job_id, cost)
redis.call('HINCRBYFLOAT', open, 'all', cost)
redis.call('EXPIRE', open, seconds_kept)
if body ~= '' then
    redis.call('HSET', idempotency, 'job', job_id, 'body', body)
    redis.call('EXPIRE', idempotency, seconds_key_kept)
end

local start = math.max(tonumber(redis.call('GET', clock) or '0'), tonumber(redis.call('HGET', flows, flow) or '0'))
local tag = string.format('%.17g', start + tonumber(cost) / weight)
redis.call('HSET', flows, flow, tag)
redis.call('HSET', record, 'cost', cost, 'flow', flow, 'start', string.format('%.17g', start), 'open', open)
if waiting == 0 then
    redis.call('SET', clock, tag)
    redis.call('RPUSH', rq_queue, job_id)
else
    add_pending(pending, waiting_owners, owner_pending, owner, job_id, tag)
    redis.call('INCRBYFLOAT', backlog, cost)
end
return {'queued', job_id}
