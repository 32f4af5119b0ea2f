-- Write to the record of a job that goes on, and tell those who follow it.
-- USES job
--
-- Answers:
--   over              the job has ended, or expired: nothing was written
--   cancel_requested  it was written, and the job has to end
--   written           it was written

local record = KEYS[1]                       -- hash: the job's record
local events = KEYS[2]                       -- stream: the job's events
local transitions = cjson.decode(ARGV[1])    -- JSON {from: {to: true}}: which status may follow which
local fields = cmsgpack.unpack(ARGV[2])      -- map: fields of the record
local event = ARGV[3]                        -- the event's name
local data = ARGV[4]                         -- JSON: the event's data

if not change(record, events, transitions, fields, event, data) then return 'over' end
return redis.call('HEXISTS', record, 'cancel_requested') == 1 and 'cancel_requested' or 'written'
