-- Append values to a list, if it is as long as it should be before: a call that is repeated since its answer was lost
-- does nothing more. Answers nothing.

local list = KEYS[1]                         -- list: what was uploaded so far
local length = tonumber(ARGV[1])             -- how long the list is before
local values = cmsgpack.unpack(ARGV[2])      -- list: what to append
local seconds_kept = ARGV[3]                 -- seconds until the list expires

local PART = 1000 -- values in one command; Lua unpacks about 8,000 at most

if redis.call('LLEN', list) ~= length then return end
for first = 1, #values, PART do
    redis.call('RPUSH', list, unpack(values, first, math.min(first + PART - 1, #values)))
end
redis.call('EXPIRE', list, seconds_kept)
