-- The jobs that wait, by tag (`submit.lua` has the order): of all owners, of each, and the owners by the first of theirs.

-- Note in `waiting` the tag of an owner's first pending job, or that there is none.
local function note_first(waiting, owner_pending, owner)
    local tag = redis.call('ZRANGE', owner_pending, 0, 0, 'WITHSCORES')[2]
    if tag then redis.call('ZADD', waiting, tag, owner) else redis.call('ZREM', waiting, owner) end
end

-- Add a job to those that wait.
local function add_pending(pending, waiting, owner_pending, owner, job_id, tag)
    redis.call('ZADD', pending, tag, job_id)
    redis.call('ZADD', owner_pending, tag, job_id)
    note_first(waiting, owner_pending, owner)
end

-- Remove a job from those that wait. Returns whether it was among them.
local function remove_pending(pending, waiting, owner_pending, owner, job_id)
    redis.call('ZREM', owner_pending, job_id)
    note_first(waiting, owner_pending, owner)
    return redis.call('ZREM', pending, job_id) == 1
end
