-- Put the pending job with the lowest tag into RQ's list, if that is empty (`submit.lua` has the order).
--
-- A worker that has no room for jobs of some owners names these. The next job is then the first of another owner, and goes
-- before those of the list that the worker must not take.
-- USES pending
--
-- Answers 1 if the first job of the list is one for the worker; 0 if there is none for it.

local rq_queue = KEYS[1]                     -- list: RQ's queue
local pending = KEYS[2]                      -- sorted set: jobs that wait, by tag
local clock = KEYS[3]                        -- string: the tag of the job that was taken last
local backlog = KEYS[4]                      -- string: seconds of work that the pending jobs are
local waiting = KEYS[5]                      -- sorted set: owners of jobs that wait, by the tag of the first
local record_prefix = ARGV[1]                -- a record's key is this and the job's id
local owner_pending_prefix = ARGV[2]         -- the jobs of an owner that wait are this and the owner's name
local busy_owners = cmsgpack.unpack(ARGV[3]) -- list: owners whose jobs the worker does not take now

local busy = {}
for _, owner in ipairs(busy_owners) do busy[owner] = true end

local function owner_of(job_id) return redis.call('HGET', record_prefix .. job_id, 'owner') or '' end

local function remove(job_id, owner)
    return remove_pending(pending, waiting, owner_pending_prefix .. owner, owner, job_id)
end

-- The first pending job of an owner who is not busy. What has expired on the way to it is dropped.
local function first_of_others()
    for _, owner in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
        while not busy[owner] do
            local job_id = redis.call('ZRANGE', owner_pending_prefix .. owner, 0, 0)[1]
            if not job_id then break end
            if redis.call('ZSCORE', pending, job_id) and owner_of(job_id) == owner then return job_id end
            remove(job_id, owner)
        end
    end
end

local head = redis.call('LINDEX', rq_queue, 0)
if head and not busy[owner_of(head)] then return 1 end
local job_id = #busy_owners > 0 and first_of_others() or not head and redis.call('ZRANGE', pending, 0, 0)[1]
if not job_id then return 0 end

local owner, tag = owner_of(job_id), redis.call('ZSCORE', pending, job_id)
remove(job_id, owner)
redis.call('LPUSH', rq_queue, job_id)
if tonumber(tag) > tonumber(redis.call('GET', clock) or '0') then redis.call('SET', clock, tag) end
local cost = redis.call('HGET', record_prefix .. job_id, 'cost')
if redis.call('ZCARD', pending) == 0 then redis.call('DEL', backlog)
elseif cost then redis.call('INCRBYFLOAT', backlog, '-' .. cost) end
return busy[owner] and 0 or 1
