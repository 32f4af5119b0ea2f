-- Count one more try of a job's webhook.
-- Answers how often it was tried; nothing if the job has expired, which does not bring its record back.

local record = KEYS[1]                       -- hash: the job's record

if redis.call('EXISTS', record) == 0 then return end
return redis.call('HINCRBY', record, 'webhook_tries', 1)
