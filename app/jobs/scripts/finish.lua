-- End a job: its last fields, its last event, its webhook, and its results, which were uploaded before.
-- USES job
--
-- Answers:
--   over     the job had ended already, or expired: nothing was written
--   written  it has ended now

local record = KEYS[1]                       -- hash: the job's record
local events = KEYS[2]                       -- stream: the job's events
local webhooks = KEYS[3]                     -- sorted set: jobs whose webhook is due
local uploaded_graphs = KEYS[4]              -- list: the graphs, under a name that nobody reads; may be missing
local graphs = KEYS[5]                       -- list: the graphs, where readers look for them
local uploaded_frames = KEYS[6]              -- list: the trajectories, likewise; may be missing
local frames = KEYS[7]                       -- list: the trajectories, where readers look for them
local job_id = ARGV[1]                       -- the job's id
local transitions = cjson.decode(ARGV[2])    -- JSON {from: {to: true}}: which status may follow which
local fields = cmsgpack.unpack(ARGV[3])      -- map: fields of the record
local event = ARGV[4]                        -- the event's name
local data = ARGV[5]                         -- JSON: the event's data
local seconds_kept = ARGV[6]                 -- seconds until all of it expires

if not change(record, events, transitions, fields, event, data) then return 'over' end
conclude(record, events, webhooks, job_id, seconds_kept)
for uploaded, result in pairs({[uploaded_graphs] = graphs, [uploaded_frames] = frames}) do
    if redis.call('EXISTS', uploaded) == 1 then
        redis.call('RENAME', uploaded, result)
        redis.call('EXPIRE', result, seconds_kept)
    end
end
return 'written'
